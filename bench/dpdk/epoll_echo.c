// A minimal event-driven echo in C, for comparison with rx-vhost's event-driven echo. Sleeps in epoll
// until the guest kicks or a command arrives. The kick is edge-triggered, so the eventfd is never read.
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "back_end.h"

static int watch(int poll, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  return epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
}

void run_event_driven_echo(void) {
  const int vid = be.vid[0];
  struct rte_vhost_vring ring;
  struct command command;
  const int poll = epoll_create1(EPOLL_CLOEXEC);
  be.now = (struct counters){0};
  if (rte_vhost_get_vhost_vring(vid, GUEST_TRANSMITS, &ring) != 0 ||
      watch(poll, ring.kickfd, EPOLLIN | EPOLLET) != 0 || watch(poll, STDIN_FILENO, EPOLLIN) != 0) {
    printf("{\"error\":\"the ring has no usable kick fd\"}\n");
    return;
  }
  printf("{\"ns\":0}\n");
  rte_vhost_enable_guest_notification(vid, GUEST_TRANSMITS, 1);
  // Echo packets that arrived before kicks were enabled.
  while (echo()) continue;
  for (bool stopped = false; !stopped;) {
    struct epoll_event event[2];
    const int count = epoll_wait(poll, event, 2, -1);
    for (int i = 0; i < count; i++) stopped |= event[i].data.fd == STDIN_FILENO;
    while (echo()) continue;
  }
  rte_vhost_enable_guest_notification(vid, GUEST_TRANSMITS, 0);
  close(poll);
  if (!control_read(&command)) exit(0);
  printf("{");
  print_counters(&(struct counters){0});
  printf(",\"held\":%u,\"bad\":0}\n", be.held);
}
