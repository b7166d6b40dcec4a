// The front end of the benches, with two sets of DPDK virtio-user ports, one set per back end, in one
// process on one core, so that both back ends have the same driver. This file creates the ports and handles
// commands; traffic.c moves packets.
//
//   generator [EAL options with one --vdev per port] -- PORTS_PER_SET RING_SIZE OTHER_CORE
//
// Commands: run SET JOB SIZE all|some SEEDS (then: stop; end PACKETS) · seed SET COUNT SIZE · crossing ·
// latency SET ROUNDS GAP_US SIZE.
#include "generator.h"

#include <rte_cycles.h>

#include "crossing.h"
#include "overhear.h"

struct generator gen;

void set_frame_size(uint32_t size) {
  if (gen.size == size) return;
  gen.size = size;
  frame_make(gen.expected, size);
  memcpy(gen.swapped, gen.expected, size);
  frame_swap_macs(gen.swapped);
  for (int set = 0; set < SETS; set++)
    for (int port = 0; port < gen.ports; port++) {
      const struct ring* ring = &gen.rings[set][port].from_guest;
      for (uint16_t slot = 0; slot < ring->size; slot++)
        memcpy(ring->buffer[slot] + HEADER, gen.expected, size);
    }
}

static bool open_port(uint16_t port) {
  const struct rte_eth_conf nothing = {0};
  const uint16_t size = (uint16_t)gen.ring_size;
  return rte_eth_dev_configure(port, 1, 1, &nothing) == 0 &&
         rte_eth_rx_queue_setup(port, 0, size, 0, NULL, gen.receive_pool) == 0 &&
         rte_eth_tx_queue_setup(port, 0, size, 0, NULL) == 0 && rte_eth_dev_start(port) == 0;
}

// Takes over the rings of a port and allocates its send buffers. As in packets of DPDK's driver, the
// virtio-net header is directly before the frame.
static bool take_over(int set, int port) {
  struct rings* rings = &gen.rings[set][port];
  if (!ring_take_over(&rings->to_guest, port_id(set, port), 0) ||
      !ring_take_over(&rings->from_guest, port_id(set, port), 1))
    return false;
  for (uint16_t slot = 0; slot < rings->from_guest.size; slot++) {
    struct rte_mbuf* packet = rte_pktmbuf_alloc(gen.send_pool);
    if (packet == NULL) return false;
    rings->from_guest.buffer[slot] = rte_pktmbuf_mtod(packet, uint8_t*) - HEADER;
    memset(rings->from_guest.buffer[slot], 0, HEADER);
  }
  return true;
}

static bool open_ports(void) {
  gen.send_pool = rte_pktmbuf_pool_create("send", 8191, 512, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
  gen.receive_pool = rte_pktmbuf_pool_create("receive", 16383, 512, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
  if (gen.send_pool == NULL || gen.receive_pool == NULL) return false;
  for (uint16_t port = 0; port < rte_eth_dev_count_avail(); port++)
    if (!open_port(port)) return false;
  for (int set = 0; set * gen.ports < rte_eth_dev_count_avail(); set++)
    for (int port = 0; port < gen.ports; port++)
      if (!take_over(set, port)) return false;
  gen.mergeable = overheard(0)->features >> VIRTIO_NET_F_MRG_RXBUF & 1;
  return true;
}

static void obey(const struct command* command, int other_core) {
  const int set = command->words > 1 ? atoi(command->word[1]) : -1;
  const bool known = set >= 0 && set < SETS;
  if (known && command_is(command, "run", 5) && job_named(command->word[2]) >= 0) {
    run_job(set, job_named(command->word[2]), (uint32_t)command_number(command, 3),
            strcmp(command->word[4], "all") == 0, (uint32_t)command_number(command, 5));
  } else if (known && command_is(command, "seed", 3)) {
    set_frame_size((uint32_t)command_number(command, 3));
    send_seed(set, (uint32_t)command_number(command, 2));
  } else if (known && command_is(command, "latency", 4)) {
    set_frame_size((uint32_t)command_number(command, 4));
    run_latency(set, (uint32_t)command_number(command, 2), (uint32_t)command_number(command, 3));
  } else if (command_is(command, "crossing", 0)) {
    printf("{\"ns\":%.1f}\n", crossing_ns(other_core));
  } else {
    printf("{\"error\":\"unknown command or wrong arguments: %s\"}\n",
           command->words > 0 ? command->word[0] : "(empty line)");
  }
}

int main(int argc, char** argv) {
  char** arguments =
      control_begin(argc, argv, 3, "generator [EAL options] -- PORTS_PER_SET RING_SIZE OTHER_CORE");
  gen.ports = atoi(arguments[0]);
  gen.ring_size = atoi(arguments[1]);
  if (!open_ports()) {
    printf("{\"error\":\"the ports could not be created: %s\"}\n", rte_strerror(rte_errno));
    return 1;
  }
  printf("{\"tscMHz\":%lu,\"features\":[", rte_get_tsc_hz() / 1000000);
  for (unsigned port = 0; overheard(port) != NULL; port++)
    printf("%s\"0x%lx\"", port > 0 ? "," : "", overheard(port)->features);
  printf("]}\n");
  struct command command;
  while (control_read(&command)) obey(&command, atoi(arguments[2]));
  // Exit without closing the ports: closing sends messages, to which a paused back end could not reply.
  _exit(0);
}
