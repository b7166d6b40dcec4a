// The reference's sockets and devices: registers them with librte_vhost and records which are connected.
// Kicks are off, because the reference polls.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "back_end.h"

static int port_of(int vid) {
  char path[200];
  if (rte_vhost_get_ifname(vid, path, sizeof(path)) != 0) return -1;
  for (int port = 0; port < be.ports; port++)
    if (strcmp(path, be.path[port]) == 0) return port;
  return -1;
}

static int new_device(int vid) {
  const int port = port_of(vid);
  if (port < 0) return -1;
  rte_vhost_enable_guest_notification(vid, GUEST_RECEIVES, 0);
  rte_vhost_enable_guest_notification(vid, GUEST_TRANSMITS, 0);
  struct rte_vhost_vring ring;
  if (port == 0) {
    if (rte_vhost_get_vhost_vring(vid, GUEST_TRANSMITS, &ring) != 0) return -1;
    be.made = &ring.avail->idx;
    be.taken = *be.made;
  }
  be.vid[port] = vid;
  return 0;
}

static void destroy_device(int vid) {
  const int port = port_of(vid);
  if (port >= 0) be.vid[port] = -1;
}

static const struct rte_vhost_device_ops operations = {.new_device = new_device,
                                                       .destroy_device = destroy_device};

bool listen_at(const char* folder) {
  for (int port = 0; port < be.ports; port++) {
    be.vid[port] = -1;
    snprintf(be.path[port], sizeof(be.path[port]), "%s/%d.sock", folder, port);
    if (rte_vhost_driver_register(be.path[port], RTE_VHOST_USER_NET_STATS_ENABLE) != 0 ||
        rte_vhost_driver_callback_register(be.path[port], &operations) != 0 ||
        rte_vhost_driver_start(be.path[port]) != 0)
      return false;
  }
  return true;
}

void wait_for_guests(void) {
  for (int port = 0; port < be.ports; port++)
    while (be.vid[port] < 0 && !control_waiting()) usleep(1000);
  uint64_t features = 0;
  rte_vhost_get_negotiated_features(be.vid[0], &features);
  printf("{\"features\":\"%lx\",\"tscMHz\":%lu}\n", features, rte_get_tsc_hz() / 1000000);
}
