// Measures how long a cache line takes from one core to the other. On a virtual machine this time changes by
// a factor of several, and all rates change with it, so it is measured before and after each slice.
#pragma once

/// Returns the nanoseconds of one crossing between the calling thread's core and `core`; negative if no
/// thread could be created.
double crossing_ns(int core);
