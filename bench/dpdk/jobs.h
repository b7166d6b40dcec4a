// The jobs of both back ends, with the names that the controller uses.
#pragma once

#include <string.h>

enum job { JOB_SINK, JOB_SOURCE, JOB_ECHO, JOB_FORWARD, JOB_FILTER, JOB_MIRROR, JOB_COUNT };

// Returns the job of this name, or -1 if there is none.
static inline int job_named(const char* name) {
  static const char* const names[JOB_COUNT] = {"sink",    "source",         "echo",
                                               "forward", "filter-forward", "mirror"};
  for (int job = 0; job < JOB_COUNT; job++)
    if (strcmp(name, names[job]) == 0) return job;
  return -1;
}
