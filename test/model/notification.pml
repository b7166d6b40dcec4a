/*
 * Does a wake-up ever get lost? A model of both notifications of a split ring, kick and call, between the driver of
 * native/guest/driver_ring.cc (which does what any driver must) and the device of native/core/virtqueue/split_ring.cc.
 * virtio 1.2, 2.7.7 and 2.7.10. scripts/model.mjs checks it: the protocol as it is written must never stop, and each
 * way to break it must be found out.
 *
 * Spin runs one step at a time on one memory, so what a processor may reorder has to be in the model: a store waits in
 * its thread's buffer and reaches the memory at any later time, in order, while the thread's loads go on (x86-TSO). That is
 * the one reordering that the protocol must forbid itself, and the full fences do: they wait for an empty buffer. The
 * orderings of loads among themselves and of stores among themselves, which weaker processors give up and acquire and
 * release restore, are not modelled. Neither thread reads back what it wrote itself.
 *
 * Both threads run for ever. The driver may at any time send no more until it has something back, so a side that sleeps
 * while the other has something for it ends in a state where nobody can go on: what Spin calls an invalid end state.
 *
 * The protocol: -DEVENT_INDEX, or the flags. What may be broken: see BREAK below.
 */

#ifndef RING
#define RING 2
#endif
#define INDICES 8 /* an index has three bits here, and wraps soon */
#define STORES 3  /* that wait in a thread's buffer at most */

/* What may be left out (`-DBREAK=…`); 0 is the protocol as it is. */
#define NOTHING 0
#define DRIVER_KICK_FENCE 1   /* DriverRing::publish: no fence between its index and the look at our wish */
#define DRIVER_ARM_FENCE 2    /* DriverRing::arm_call: no fence between its wish and the second look */
#define DRIVER_SECOND_LOOK 3  /* DriverRing::arm_call: no second look */
#define DRIVER_LATE_WISH 4    /* DriverRing::arm_call: the wish after the second look */
#define DEVICE_CALL_FENCE 5   /* SplitRing::should_call: no fence between our index and the look at its wish */
#define DEVICE_ARM_FENCE 6    /* SplitRing::arm_kick: no fence between our wish and the second look */
#define DEVICE_SECOND_LOOK 7  /* SplitRing::arm_kick: no second look */
#define DEVICE_LATE_WISH 8    /* SplitRing::arm_kick: the wish after the second look */
#define DEVICE_LAST_PUBLISH 9  /* SplitRing::should_call: about the last publish() alone (event index only) */
#ifndef BREAK
#define BREAK NOTHING
#endif

/* Shared memory: each word has one writer. A wish is the event index, or a flag that is set while none is wanted. */
#define AVAILABLE 0 /* the driver's: avail->idx */
#define CALL_WISH 1 /* the driver's: used_event, or avail->flags */
#define USED 2      /* the device's: used->idx */
#define KICK_WISH 3 /* the device's: avail_event, or used->flags */
byte memory[4];
chan driver_stores = [STORES] of { byte, byte };
chan device_stores = [STORES] of { byte, byte };
/* The eventfds: a signal stays until it is looked for, and two are one. */
bool kick, call_;

#define NEXT(index) ((index + 1) % INDICES)
#define DISTANCE(from, to) ((to + INDICES - from) % INDICES)
#ifdef EVENT_INDEX
#define WANTED(wish, now, before) (DISTANCE(NEXT(wish), now) < DISTANCE(before, now))
#define WISH(index) (index)
#define SUPPRESS(stores, word) skip /* a wish that was met stays met */
#else
#define WANTED(wish, now, before) (wish == 0)
#define WISH(index) 0
#define SUPPRESS(stores, word) stores!word,1
#endif
#define FENCE(stores, name) if :: BREAK == name :: else -> empty(stores) fi

proctype memory_of(chan stores) {
  byte word, value;
end:
  do
  :: atomic { stores?word,value -> memory[word] = value; word = 0; value = 0 }
  od
}

active proctype driver() {
  byte available, before, used, now, wish, beyond;
  do
  :: DISTANCE(used, available) < RING -> /* add() once or more, publish() */
    before = available;
    available = NEXT(available);
    do
    :: DISTANCE(used, available) < RING -> available = NEXT(available)
    :: break
    od;
    driver_stores!AVAILABLE,available;
    FENCE(driver_stores, DRIVER_KICK_FENCE);
    wish = memory[KICK_WISH];
    if
    :: WANTED(wish, available, before) -> kick = true
    :: else
    fi;
    atomic { before = 0; wish = 0 }
  :: now = memory[USED]; /* take() all that came back */
    atomic { used = now; now = 0 }
  :: used != available -> /* arm_call(beyond), and sleep */
    beyond = 0;
#ifdef EVENT_INDEX
    do
    :: beyond + 1 < DISTANCE(used, available) -> beyond++
    :: break
    od;
#endif
    if
    :: BREAK == DRIVER_LATE_WISH
    :: else -> driver_stores!CALL_WISH,WISH((used + beyond) % INDICES)
    fi;
    FENCE(driver_stores, DRIVER_ARM_FENCE);
    now = memory[USED];
    if
    :: BREAK == DRIVER_LATE_WISH -> driver_stores!CALL_WISH,WISH((used + beyond) % INDICES)
    :: else
    fi;
    if
    :: BREAK != DRIVER_SECOND_LOOK && DISTANCE(used, now) > beyond
    :: else -> atomic { call_ -> call_ = false }
    fi;
    SUPPRESS(driver_stores, CALL_WISH);
    atomic { now = 0; beyond = 0 }
  od
}

active proctype device() {
  byte taken, seen, published, called, before, now, wish;
  do
  :: seen = memory[AVAILABLE]; /* peek() */
    if
    :: seen != taken -> /* a burst: take() and complete(), publish() now and then and at the end */
      do
      :: taken != seen ->
        taken = NEXT(taken);
        if
        :: published = taken; device_stores!USED,published
        :: skip
        fi
      :: break
      od;
      if
      :: published != taken ->
        if
        :: BREAK == DEVICE_LAST_PUBLISH -> called = published
        :: else
        fi;
        published = taken;
        device_stores!USED,published
      :: else
      fi;
      if
      :: called != published -> /* should_call() */
        FENCE(device_stores, DEVICE_CALL_FENCE);
        atomic { before = called; called = published };
        wish = memory[CALL_WISH];
        if
        :: WANTED(wish, published, before) -> call_ = true
        :: else
        fi;
        atomic { before = 0; wish = 0 }
      :: else
      fi
    :: else -> /* arm_kick(), and sleep */
      if
      :: BREAK == DEVICE_LATE_WISH
      :: else -> device_stores!KICK_WISH,WISH(seen)
      fi;
      FENCE(device_stores, DEVICE_ARM_FENCE);
      now = memory[AVAILABLE];
      if
      :: BREAK == DEVICE_LATE_WISH -> device_stores!KICK_WISH,WISH(seen)
      :: else
      fi;
      if
      :: BREAK != DEVICE_SECOND_LOOK && now != seen
      :: else -> atomic { kick -> kick = false }
      fi;
      SUPPRESS(device_stores, KICK_WISH);
      now = 0
    fi
  od
}

init {
  atomic { run memory_of(driver_stores); run memory_of(device_stores) }
}
