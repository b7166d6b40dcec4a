// The back end with which rx-vhost is compared: librte_vhost in one polling thread, used as in DPDK's
// examples (bursts of 32, statistics on, kicks off). This file handles commands; jobs.c runs the jobs on
// ports 0, 1 and 2, whose sockets are in one folder.
//
//   reference [EAL options] -- FOLDER PORTS
//
// Commands: wait · seed COUNT · run JOB SIZE WARM_MS MS all|some · sleep · stop PACKETS. `run` answers when
// the measured time is over, but the job continues until `stop`. `stop` answers with totals when PACKETS
// packets have arrived from the guest. `sleep` runs an event-driven echo.
#include <errno.h>

#include "back_end.h"

struct back_end be;

static void obey(const struct command* command) {
  if (command_is(command, "wait", 0)) {
    wait_for_guests();
  } else if (command_is(command, "seed", 1) && command_number(command, 1) <= MAX_SEED) {
    seed((uint32_t)command_number(command, 1));
  } else if (command_is(command, "run", 5) && job_named(command->word[1]) >= 0) {
    be.size = (uint32_t)command_number(command, 2);
    frame_make(be.expected, be.size);
    be.check_all = strcmp(command->word[5], "all") == 0;
    run_job(job_named(command->word[1]), command_number(command, 3), command_number(command, 4));
  } else if (command_is(command, "sleep", 0)) {
    run_event_driven_echo();
  } else {
    printf("{\"error\":\"unknown command or wrong arguments: %s\"}\n",
           command->words > 0 ? command->word[0] : "(empty line)");
  }
}

int main(int argc, char** argv) {
  char** arguments = control_begin(argc, argv, 2, "reference [EAL options] -- FOLDER PORTS");
  be.ports = atoi(arguments[1]);
  be.pool = rte_pktmbuf_pool_create("packets", 8191, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, (int)rte_socket_id());
  if (be.pool == NULL || be.ports < 1 || be.ports > MAX_PORTS || !listen_at(arguments[0])) {
    printf("{\"error\":\"could not allocate memory or create a socket: %s\"}\n", strerror(errno));
    return 1;
  }
  printf("{\"listening\":%d}\n", be.ports);
  struct command command;
  while (control_read(&command)) obey(&command);
  for (int port = 0; port < be.ports; port++) rte_vhost_driver_unregister(be.path[port]);
  rte_eal_cleanup();
  return 0;
}
