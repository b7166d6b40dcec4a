// How long a cache line takes from one core to the other. On a virtual machine this drifts by a factor of
// several, and all rates with it, so it is measured beside each slice.
#pragma once

/// Nanoseconds of one crossing between the calling thread's core and `core`; negative if no thread could be
/// made.
double crossing_ns(int core);
