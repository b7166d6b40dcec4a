// The frames of the benches: Ethernet, IPv4 and UDP headers, a number, and a pattern that fills the rest. The
// generator and the reference back end use this file; bench/throughput/frames.ts has the same layout.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define FRAME_MAX 1600
#define FRAME_MIN 60
// Offsets in a frame.
#define FRAME_PROTOCOL 23
#define FRAME_SOURCE 26
#define FRAME_DESTINATION 30
#define FRAME_SOURCE_PORT 34
#define FRAME_DESTINATION_PORT 36
#define FRAME_NUMBER 44
#define FRAME_PATTERN 48
// Flow that passes the filter of filter-forward. The other half of the frames has another source port.
#define FLOW_SOURCE 0x0a000001u
#define FLOW_DESTINATION 0x0a000002u
#define FLOW_SOURCE_PORT 1000
#define FLOW_DESTINATION_PORT 2000
#define OTHER_SOURCE_PORT 1001
#define PROTOCOL_UDP 17

// In a timed slice, one of CHECK_EVERY frames is checked.
#define CHECK_EVERY 64

static inline uint16_t load16(const uint8_t* at) { return (uint16_t)(at[0] << 8 | at[1]); }

static inline uint32_t load32(const uint8_t* at) {
  uint32_t value;
  memcpy(&value, at, 4);
  return __builtin_bswap32(value);
}

static inline void store16(uint8_t* at, uint16_t value) {
  value = __builtin_bswap16(value);
  memcpy(at, &value, 2);
}

static inline void store32(uint8_t* at, uint32_t value) {
  value = __builtin_bswap32(value);
  memcpy(at, &value, 4);
}

// Returns true for half of the numbers, in an order that a branch predictor can't learn.
static inline bool frame_passes(uint32_t number) { return number * 0x9e3779b1u >> 31; }

// Writes the number of a frame and the matching source port, which are in the same cache line.
static inline void frame_number(uint8_t* frame, uint32_t number) {
  store16(frame + FRAME_SOURCE_PORT, frame_passes(number) ? FLOW_SOURCE_PORT : OTHER_SOURCE_PORT);
  store32(frame + FRAME_NUMBER, number);
}

static inline void frame_swap_macs(uint8_t* frame) {
  uint8_t mac[6];
  memcpy(mac, frame, 6);
  memcpy(frame, frame + 6, 6);
  memcpy(frame + 6, mac, 6);
}

static inline void frame_make(uint8_t* frame, uint32_t size) {
  static const uint8_t head[] = {2, 0, 0,    0, 0, 2, 2, 0, 0,    0, 0,  1,
                                 8, 0, 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, PROTOCOL_UDP};
  memset(frame, 0, FRAME_PATTERN);
  memcpy(frame, head, sizeof(head));
  store16(frame + 16, (uint16_t)(size - 14));
  store32(frame + FRAME_SOURCE, FLOW_SOURCE);
  store32(frame + FRAME_DESTINATION, FLOW_DESTINATION);
  uint32_t sum = 0;
  for (int at = 14; at < 34; at += 2) sum += load16(frame + at);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  store16(frame + 24, (uint16_t)~sum);
  store16(frame + FRAME_DESTINATION_PORT, FLOW_DESTINATION_PORT);
  store16(frame + 38, (uint16_t)(size - 34));
  for (uint32_t at = FRAME_PATTERN; at < size; at++) frame[at] = (uint8_t)(at * 31 + 7);
  frame_number(frame, 0);
}
