// Control of the C programs of the benches: each command is a line on stdin, each answer is a line of JSON on
// stdout.
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>

#define MAX_WORDS 12

struct command {
  char line[512];
  int words;
  char* word[MAX_WORDS];
};

// Initializes EAL, stdin and stdout. Returns the program's own arguments; ends the program unless there are
// `count` of them.
static inline char** control_begin(int argc, char** argv, int count, const char* usage) {
  const int used = rte_eal_init(argc, argv);
  if (used < 0) exit(1);
  if (argc - used != count + 1) {
    fprintf(stderr, "usage: %s\n", usage);
    exit(2);
  }
  // Unbuffered, because poll() does not see input that is in a buffer.
  setvbuf(stdin, NULL, _IONBF, 0);
  setvbuf(stdout, NULL, _IOLBF, 0);
  return argv + used + 1;
}

// Waits for a command. Returns false at the end of the input.
static inline bool control_read(struct command* command) {
  if (fgets(command->line, sizeof(command->line), stdin) == NULL) return false;
  command->words = 0;
  char* rest = NULL;
  for (char* word = strtok_r(command->line, " \n", &rest); word != NULL && command->words < MAX_WORDS;
       word = strtok_r(NULL, " \n", &rest))
    command->word[command->words++] = word;
  return true;
}

// Returns true at a command or the end of the input. Makes a system call, so do not call this function per
// packet.
static inline bool control_waiting(void) {
  struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
  return poll(&fd, 1, 0) > 0;
}

static inline bool command_is(const struct command* command, const char* name, int arguments) {
  return command->words == arguments + 1 && strcmp(command->word[0], name) == 0;
}

static inline unsigned long command_number(const struct command* command, int at) {
  return strtoul(command->word[at], NULL, 10);
}
