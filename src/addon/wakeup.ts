// Dispatches the events of watched fds: the addon reports pairs of a tag and epoll events, and the owner of the tag is called.
// There is one table per env, as there is one epoll per env. A tag is an index and its generation, so that an event which was
// already reported when its watch closed reaches no other owner.
import { VhostError } from '../errors.js'
import { errnoName, type FdToken, native } from './native.js'

export type WatchHandler = (events: number) => void

/** The owner of a tag. An object rather than a function: there are many, and a closure for each would be two objects more. */
export interface Tagged {
  onEvents(events: number): void
}

export type WatchMode = 'read' | 'edge' | 'read-write' | 'write' | 'hang-up'

const modeNumbers: Record<WatchMode, number> = { read: 0, edge: 1, 'read-write': 2, write: 3, 'hang-up': 4 }
/** EPOLLERR | EPOLLHUP, which epoll reports in every mode: the peer has gone and can't receive an answer. */
export const PEER_GONE = 0x8 | 0x10
const SLOT_BITS = 20
const SLOT_MASK = (1 << SLOT_BITS) - 1
/** Pairs of tag and events that the addon reports in one call. */
const PAIRS = 64

/** By index: the tag that is in use or will be used next, and its owner. */
const tags: number[] = []
const owners: (Tagged | undefined)[] = []
const free: number[] = []
const ready = new Uint32Array(2 * PAIRS)
let opened = false
/** Calls of refLoop() less those of unrefLoop(). */
let references = 0

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
      // The remaining pairs may be edges, which epoll does not report again, so they are dispatched first.
      queueMicrotask(() => {
        throw error
      })
    }
  }
}

/** A tag whose events go to `handler`, for functions of the addon that watch an fd themselves. */
export function allocateTag(handler: WatchHandler): number {
  return tagFor({ onEvents: handler })
}

/** A tag whose events go to `owner`. */
export function tagFor(owner: Tagged): number {
  open()
  // First in, first out, so that an index is reused as late as possible.
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

/** Ignores all later events with this tag. */
export function freeTag(tag: number): void {
  if (ownerOf(tag) === undefined) return
  const index = tag & SLOT_MASK
  owners[index] = undefined
  tags[index] = (tag + (1 << SLOT_BITS)) >>> 0
  free.push(index)
}

/** A watch on one fd. */
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

  /** From dispatch(). */
  onEvents(events: number): void {
    if (this.#mode !== 'none') this.#handler(events)
  }

  get mode(): WatchMode | 'none' {
    return this.#mode
  }

  /** Changes what the fd is watched for; `none` stops all events, also those that were reported but not dispatched yet. */
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

  /** Stops watching. Call this before the token is closed. */
  close(): void {
    if (this.#closed) return
    this.mode = 'none'
    this.#closed = true
    freeTag(this.#tag)
  }
}

/** Watches an fd. Throws if epoll does not take this kind of file. */
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

/** Keeps the event loop alive until unrefLoop() was called as often. A watched fd alone does not keep it alive. */
export function refLoop(): void {
  open()
  if (references++ === 0) native().wakeupHold(true)
}

export function unrefLoop(): void {
  if (references > 0 && --references === 0) native().wakeupHold(false)
}

/** Turns of the event loop and its clock for the scheduler. Neither call makes an object. */
export interface Turns {
  /** Runs the function that openTurns() was given in a later turn, as setImmediate does. */
  later(): void
  /** Milliseconds of a monotonic clock. */
  now(): number
}

/** Call this once per env. */
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
