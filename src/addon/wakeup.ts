// Tags and handlers: turns the addon's (tag, events) pairs into calls. One table per env, as there is one epoll per
// env. A tag is a slot and its generation, so that an event which was under way when its watch closed finds nobody.
// Knows neither sockets nor rings.
import { VhostError } from '../errors.js'
import { errnoName, type FdToken, native } from './native.js'

export type WatchHandler = (events: number) => void

/** Who has a tag. An object, since there are many: a function of each one's own would be two objects more. */
export interface Tagged {
  onEvents(events: number): void
}

export type WatchMode = 'read' | 'edge' | 'read-write' | 'write' | 'hang-up'

const modeNumbers: Record<WatchMode, number> = { read: 0, edge: 1, 'read-write': 2, write: 3, 'hang-up': 4 }
/** EPOLLERR | EPOLLHUP, which come whatever is watched for: the peer has gone, and takes no answer either. */
export const PEER_GONE = 0x8 | 0x10
const SLOT_BITS = 20
const SLOT_MASK = (1 << SLOT_BITS) - 1
const PAIRS = 64

/** By slot: the tag that is in use, or will be next, and who has it. */
const tags: number[] = []
const owners: (Tagged | undefined)[] = []
const free: number[] = []
const ready = new Uint32Array(2 * PAIRS)
let opened = false
let holders = 0

function open(): void {
  if (opened) return
  const result = native().wakeupOpen(ready, dispatch)
  if (result < 0) throw new Error(`rx-vhost: no wake-up: ${errnoName(result)}`)
  opened = true
}

function dispatch(pairs: number): void {
  for (let i = 0; i < pairs; i++) {
    const tag = ready[2 * i]
    const owner = ownerOf(tag)
    try {
      owner?.onEvents(ready[2 * i + 1])
    } catch (error) {
      // The pairs behind this one may be edges that never come again: they are served first.
      queueMicrotask(() => {
        throw error
      })
    }
  }
}

/** A tag for `handler`, for functions of the addon that watch an fd themselves. */
export function allocateTag(handler: WatchHandler): number {
  return tagFor({ onEvents: handler })
}

/** A tag for `owner`. */
export function tagFor(owner: Tagged): number {
  open()
  // First in, first out: a slot rests for as long as possible before its generation moves on.
  const reused = free.shift()
  const index = reused ?? tags.length
  if (index > SLOT_MASK) throw new Error('rx-vhost: too many watches')
  if (reused === undefined) tags.push(index)
  owners[index] = owner
  return tags[index]
}

function ownerOf(tag: number): Tagged | undefined {
  const index = tag & SLOT_MASK
  return tags[index] === tag ? owners[index] : undefined
}

/** From now on, events with this tag are ignored. */
export function freeTag(tag: number): void {
  if (ownerOf(tag) === undefined) return
  const index = tag & SLOT_MASK
  owners[index] = undefined
  tags[index] = (tag + (1 << SLOT_BITS)) >>> 0
  free.push(index)
}

/** An fd being watched. */
export class Watch implements Tagged {
  readonly #token: FdToken
  readonly #handler: WatchHandler
  readonly #tag: number
  #mode: WatchMode | 'none' = 'none'
  #closed = false

  constructor(token: FdToken, handler: WatchHandler) {
    this.#token = token
    this.#handler = handler
    this.#tag = tagFor(this)
  }

  /** From the wake-up. */
  onEvents(events: number): void {
    if (this.#mode !== 'none') this.#handler(events)
  }

  get mode(): WatchMode | 'none' {
    return this.#mode
  }

  /** Changes what is watched for; `none` stops all events, also those already under way in this turn's batch. */
  set mode(mode: WatchMode | 'none') {
    if (this.#closed || mode === this.#mode) return
    if (mode === 'none') native().unwatch(this.#token)
    else {
      const result = native().watch(this.#token, this.#tag, modeNumbers[mode])
      if (result < 0)
        throw new VhostError(
          'ERR_VHOST_INVALID_ARGUMENT',
          `this file can't be watched (${errnoName(result)})`,
        )
    }
    this.#mode = mode
  }

  /** Stops watching. Must come before the token is closed. */
  close(): void {
    if (this.#closed) return
    this.mode = 'none'
    this.#closed = true
    freeTag(this.#tag)
  }
}

export function watch(token: FdToken, mode: WatchMode, handler: WatchHandler): Watch {
  const made = new Watch(token, handler)
  try {
    made.mode = mode
  } catch (error) {
    made.close()
    throw error
  }
  return made
}

/** Keeps the process alive until as many `letGo()` as `hold()` were called. Watching alone does not. */
export function hold(): void {
  open()
  if (holders++ === 0) native().wakeupHold(true)
}

export function letGo(): void {
  if (holders > 0 && --holders === 0) native().wakeupHold(false)
}

/** What the scheduler needs of the event loop, without an object for each turn and each look at the clock. */
export interface Turns {
  /** The function that was given runs in a later turn: what setImmediate does. */
  later(): void
  /** Milliseconds that only rise. */
  now(): number
}

/** Once for each env. */
export function openTurns(onTurn: () => void): Turns {
  open()
  const addon = native()
  const flags = new Uint32Array(2)
  const clock = new Float64Array(1)
  const result = addon.wakeupTurns(flags, clock, onTurn)
  if (result < 0) throw new Error(`rx-vhost: no turns: ${errnoName(result)}`)
  return {
    later() {
      flags[0] = 1
      if (flags[1] === 0) addon.wakeupAskTurn()
    },
    now() {
      addon.readClock()
      return clock[0]
    },
  }
}
