// The traffic program of the test guests. Linked statically, since a guest's only other program is busybox,
// whose nc writes 1 KiB at a time and can't say what arrived. Three uses:
//   agent send <address> <port> <bytes> <seed>   a TCP stream in writes of 64 KiB
//   agent receive <port>                         the other end, one connection
//   agent headers <interface>                    until SIGTERM: what virtio-net headers the arriving frames
//   carry
// Each prints one line of JSON. `send` and `receive` hash the stream with SHA-256 (FIPS 180-4), each for
// itself.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { CHUNK = 65536 };

static void die(const char* what) {
  fprintf(stderr, "agent: %s: %s\n", what, strerror(errno));
  exit(1);
}

// ---- SHA-256 ----

struct sha256 {
  uint32_t state[8];
  uint64_t length;
  uint8_t block[64];
};

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int by) { return x >> by | x << (32 - by); }

static void sha256_block(struct sha256* s, const uint8_t* p) {
  uint32_t w[64], v[8];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
    uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  memcpy(v, s->state, sizeof v);
  for (int i = 0; i < 64; i++) {
    uint32_t s1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
    uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + round_constants[i] + w[i];
    uint32_t s0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
    uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
    memmove(v + 1, v, 7 * sizeof v[0]);
    v[4] += t1;
    v[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) s->state[i] += v[i];
}

static void sha256_start(struct sha256* s) {
  static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(s->state, initial, sizeof initial);
  s->length = 0;
}

static void sha256_add(struct sha256* s, const uint8_t* bytes, size_t count) {
  while (count > 0) {
    size_t used = s->length % 64;
    size_t take = 64 - used < count ? 64 - used : count;
    memcpy(s->block + used, bytes, take);
    s->length += take, bytes += take, count -= take;
    if (s->length % 64 == 0) sha256_block(s, s->block);
  }
}

static void sha256_print(struct sha256* s) {
  uint64_t bits = s->length * 8;
  uint64_t total = s->length;
  uint8_t size[8], byte = 0x80;
  for (int i = 0; i < 8; i++) size[i] = (uint8_t)(bits >> (56 - 8 * i));
  do {
    sha256_add(s, &byte, 1);
    byte = 0;
  } while (s->length % 64 != 56);
  sha256_add(s, size, 8);
  printf("{\"bytes\":%llu,\"sha256\":\"", (unsigned long long)total);
  for (int i = 0; i < 8; i++) printf("%08x", s->state[i]);
  printf("\"}\n");
}

// ---- TCP ----

static uint8_t chunk[CHUNK];

static int send_stream(const char* address, int port, uint64_t bytes, uint64_t seed) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  if (inet_pton(AF_INET, address, &to.sin_addr) != 1) die(address);
  int s = -1;
  for (int attempt = 0;; attempt++) {  // the receiver may not listen yet
    s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (struct sockaddr*)&to, sizeof to) == 0) break;
    if (attempt == 300) die("connect");
    close(s);
    usleep(100 * 1000);
  }
  struct sha256 hash;
  sha256_start(&hash);
  uint64_t x = seed * 2654435761u + 1;
  for (uint64_t left = bytes; left > 0;) {
    for (int i = 0; i < CHUNK; i += 8) {  // xorshift64: no byte of one packet repeats in the next
      x ^= x << 13, x ^= x >> 7, x ^= x << 17;
      memcpy(chunk + i, &x, 8);
    }
    size_t size = left < CHUNK ? (size_t)left : CHUNK;
    sha256_add(&hash, chunk, size);
    for (size_t done = 0; done < size;) {
      ssize_t n = write(s, chunk + done, size - done);
      if (n < 0) die("write");
      done += (size_t)n;
    }
    left -= size;
  }
  if (shutdown(s, SHUT_WR) != 0) die("shutdown");
  if (read(s, chunk, 1) != 0) die("the receiver did not close");  // it closes after it has read everything
  sha256_print(&hash);
  return 0;
}

static int receive_stream(int port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int one = 1, l = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(l, (struct sockaddr*)&at, sizeof at) != 0) die("bind");
  if (listen(l, 1) != 0) die("listen");
  int s = accept(l, NULL, NULL);
  if (s < 0) die("accept");
  struct sha256 hash;
  sha256_start(&hash);
  for (;;) {
    ssize_t n = read(s, chunk, CHUNK);
    if (n < 0) die("read");
    if (n == 0) break;
    sha256_add(&hash, chunk, (size_t)n);
  }
  sha256_print(&hash);
  return 0;
}

// ---- Headers ----

static volatile sig_atomic_t stopped;
static void on_term(int signal) { (void)signal, stopped = 1; }

// Generic receive offload joins frames, and marks what it joined as if it had come so.
static void disable_gro(int s, const char* interface) {
  struct ethtool_value off = {.cmd = ETHTOOL_SGRO};
  struct ifreq request = {.ifr_data = (char*)&off};
  strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
  if (ioctl(s, SIOCETHTOOL, &request) != 0) die("ETHTOOL_SGRO");
}

static int count_headers(const char* interface) {
  struct sigaction action = {.sa_handler = on_term};  // no SA_RESTART: recvmsg must return
  sigaction(SIGTERM, &action, NULL);
  int one = 1, s = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
  if (s < 0) die("socket");
  if (setsockopt(s, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) != 0) die("PACKET_VNET_HDR");
  struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
  at.sll_ifindex = (int)if_nametoindex(interface);
  if (bind(s, (struct sockaddr*)&at, sizeof at) != 0) die(interface);
  disable_gro(s, interface);
  struct timeval second = {.tv_sec = 1};  // a SIGTERM just before recvfrom must not wait for a frame
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
  unsigned long frames = 0, needs_csum = 0, data_valid = 0, tcp4 = 0, tcp6 = 0, other = 0, longest = 0;
  while (!stopped) {
    struct {
      struct virtio_net_hdr header;
      uint8_t frame[54];
    } packet;
    struct sockaddr_ll from;
    socklen_t size = sizeof from;
    ssize_t n = recvfrom(s, &packet, sizeof packet, MSG_TRUNC, (struct sockaddr*)&from, &size);
    if (n < (ssize_t)sizeof packet.header || from.sll_pkttype == PACKET_OUTGOING) continue;
    unsigned long length = (unsigned long)n - sizeof packet.header;
    frames++;
    if (length > longest) longest = length;
    if (packet.header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) needs_csum++;
    if (packet.header.flags & VIRTIO_NET_HDR_F_DATA_VALID) data_valid++;
    switch (packet.header.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
      case VIRTIO_NET_HDR_GSO_NONE:
        break;
      case VIRTIO_NET_HDR_GSO_TCPV4:
        tcp4++;
        break;
      case VIRTIO_NET_HDR_GSO_TCPV6:
        tcp6++;
        break;
      default:
        other++;
    }
  }
  printf(
      "{\"frames\":%lu,\"needsChecksum\":%lu,\"dataValid\":%lu,\"tcp4\":%lu,\"tcp6\":%lu,\"otherGso\":%lu,"
      "\"longest\":%lu}\n",
      frames, needs_csum, data_valid, tcp4, tcp6, other, longest);
  return 0;
}

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  if (argc == 6 && !strcmp(argv[1], "send"))
    return send_stream(argv[2], atoi(argv[3]), strtoull(argv[4], NULL, 10), strtoull(argv[5], NULL, 10));
  if (argc == 3 && !strcmp(argv[1], "receive")) return receive_stream(atoi(argv[2]));
  if (argc == 3 && !strcmp(argv[1], "headers")) return count_headers(argv[2]);
  fprintf(stderr,
          "usage: agent send <address> <port> <bytes> <seed> | receive <port> | headers <interface>\n");
  return 2;
}
