// Loans: leases for which account 0 is charged instead of the queue that the packet came from. With them a sink can hold a
// bounded number of packets without slowing that queue (sink/backlog.ts).
import { SLOT_ACCOUNT, SLOT_LENGTH, SLOT_REFERENCES, SLOT_SHIFT, type Slots } from '../../packet/packet.js'
import type { Accounts } from './accounts.js'

export class Loans {
  readonly #slots: Slots
  readonly #accounts: Accounts
  readonly #small: number
  /** By slot: how many of its leases are loans. */
  readonly #lent: Uint16Array
  /** By slot: the account that is charged again when the last loan ends. */
  readonly #home: Uint16Array

  /** `small`: the number of small slots; the others are large. */
  constructor(slots: Slots, accounts: Accounts, small: number) {
    this.#slots = slots
    this.#accounts = accounts
    this.#small = small
    this.#lent = new Uint16Array(slots.packets.length)
    this.#home = new Uint16Array(slots.packets.length)
  }

  /** The account of the queue that the packet came from. */
  home(slot: number): number {
    return this.#lent[slot] > 0 ? this.#home[slot] : this.#slots.meta[(slot << SLOT_SHIFT) + SLOT_ACCOUNT]
  }

  /** Takes a lease, as a loan. unlend() releases it. */
  lend(slot: number): void {
    this.#slots.retain(slot)
    if (this.#lent[slot]++ > 0) return
    this.#home[slot] = this.#slots.meta[(slot << SLOT_SHIFT) + SLOT_ACCOUNT]
    this.#transfer(slot, 0)
  }

  /** Releases a lease of lend(). If others still hold the packet, its queue is charged for it again. */
  unlend(slot: number): void {
    if (--this.#lent[slot] === 0 && this.#slots.meta[(slot << SLOT_SHIFT) + SLOT_REFERENCES] > 1)
      this.#transfer(slot, this.#home[slot])
    this.#slots.release(slot)
  }

  #transfer(slot: number, account: number): void {
    const { meta } = this.#slots
    const at = slot << SLOT_SHIFT
    const large = slot < this.#small ? 0 : 1
    const length = meta[at + SLOT_LENGTH]
    this.#accounts.discharge(meta[at + SLOT_ACCOUNT], large, length, 1)
    meta[at + SLOT_ACCOUNT] = account
    this.#accounts.charge(account, large, length)
  }
}
