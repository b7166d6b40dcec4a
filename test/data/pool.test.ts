// The pool's JavaScript half on plain arrays: leases, classes of slots, accounts and reserves.
import test from 'ava'
import { plainPoolArrays, SMALL_SLAB } from '../../src/data/pool/arrays.js'
import { NONE, Pool } from '../../src/data/pool/pool.js'
import { SLOT_OFFSET, SLOT_WORDS } from '../../src/packet/packet.js'

const make = (strict = false) => new Pool(plainPoolArrays(1 << 20), { strict })
const limits = { packets: 8, bytes: 1 << 20 }

test('a slot is freed with its last lease', t => {
  const pool = make()
  const slot = pool.alloc(64)
  pool.retain(slot)
  pool.release(slot)
  t.is(pool.leases, 1)
  pool.release(slot)
  t.is(pool.leases, 0)
  t.throws(() => pool.release(slot), { message: /released twice/ })
})

test('the pool grows by slabs, and slots are reused first in, first out', t => {
  const pool = make()
  const first = pool.alloc(64)
  pool.release(first)
  const next = Array.from({ length: 255 }, () => pool.alloc(64))
  t.false(next.includes(first), 'a freed slot is the last to be used again')
  t.is(pool.alloc(64), first)
})

test('free slots beyond a slab are parked, and used when all others are leased', t => {
  const pool = new Pool(plainPoolArrays(4 << 20), { strict: false })
  const all = Array.from({ length: 300 }, () => pool.alloc(64))
  for (const slot of all) pool.release(slot)
  t.is(pool.leases, 0)
  const again = Array.from({ length: 300 }, () => pool.alloc(64))
  t.is(new Set(again).size, 300, 'none is there twice')
  for (const slot of again) pool.release(slot)
  const round = Array.from({ length: 1000 }, () => {
    const slot = pool.alloc(64)
    pool.release(slot)
    return slot
  })
  t.is(new Set(round).size, SMALL_SLAB, 'who has few packets under way goes round over one slab')
  const sorts = Array.from({ length: 300 }, () => pool.alloc(64))
  pool.releaseAll(Uint32Array.from(sorts), 0, 300)
  t.is(pool.leases, 0)
  t.is(
    new Set(Array.from({ length: 300 }, () => pool.alloc(64))).size,
    300,
    'nor are those released together',
  )
})

test('a long packet gets a large slot, contiguous and apart from all others', t => {
  const pool = make()
  const [small, large] = [pool.alloc(1984), pool.alloc(1985)]
  const at = (slot: number) => pool.meta[slot * SLOT_WORDS + SLOT_OFFSET]
  t.true(at(large) + 65536 + 256 <= pool.bytes.length)
  t.true(at(small) + 1984 <= at(large))
  t.throws(() => pool.alloc(70_000), { instanceOf: RangeError })
})

test('an empty class gives NONE, and a free slot calls a waiting callback once', t => {
  const pool = make()
  const slots: number[] = []
  for (let slot = pool.alloc(64); slot !== NONE; slot = pool.alloc(64)) slots.push(slot)
  let woken = 0
  pool.whenFreed(() => woken++)
  pool.release(slots[0])
  pool.release(slots[1])
  t.is(woken, 1)
  t.not(pool.alloc(64), NONE)
})

test('a reserve is for its account alone', t => {
  const pool = make()
  const reserved = pool.accounts.open({ ...limits, smallReserve: 4 })
  const other = pool.accounts.open(limits)
  const slots: number[] = []
  for (let slot = pool.alloc(64, other); slot !== NONE; slot = pool.alloc(64, other)) slots.push(slot)
  t.is(pool.alloc(64), NONE)
  const own = Array.from({ length: 4 }, () => pool.alloc(64, reserved))
  t.false(own.includes(NONE))
  t.is(pool.alloc(64, reserved), NONE)
  pool.releaseAll(Uint32Array.from(own), 0, 4)
  t.is(pool.alloc(64, other), NONE, 'the reserve is whole again')
  t.not(pool.alloc(64, reserved), NONE)
})

test('credit: packets and bytes, and resume is called once, at half', t => {
  const pool = make()
  const account = pool.accounts.open({ packets: 8, bytes: 1000 })
  const slots = Array.from({ length: 8 }, () => pool.alloc(64, account))
  t.false(pool.accounts.hasCredit(account))
  let resumed = 0
  pool.accounts.whenHalf(account, () => resumed++)
  for (let i = 0; i < 3; i++) pool.release(slots[i])
  t.is(resumed, 0)
  for (let i = 3; i < 8; i++) pool.release(slots[i])
  t.is(resumed, 1)
  const long = pool.alloc(1000, account)
  t.false(pool.accounts.hasCredit(account))
  pool.release(long)
  t.true(pool.accounts.hasCredit(account))
})

test('the number of a closed account is used again only after its last packet is released', t => {
  const pool = make()
  const account = pool.accounts.open(limits)
  const slot = pool.alloc(64, account)
  pool.accounts.close(account)
  t.not(pool.accounts.open(limits), account)
  pool.release(slot)
  t.is(pool.accounts.open(limits), account)
})

test('no queue is charged for a lent packet; its queue is charged again after the last loan', t => {
  const pool = make()
  const queue = pool.accounts.open(limits)
  const paid = () => [pool.accounts.packets(queue), pool.accounts.packets(0)]
  const slot = pool.alloc(64, queue)
  pool.loans.lend(slot)
  pool.loans.lend(slot)
  t.deepEqual(paid(), [0, 1])
  pool.loans.unlend(slot)
  t.deepEqual(paid(), [0, 1])
  pool.loans.unlend(slot)
  t.deepEqual(paid(), [1, 0])
  pool.loans.lend(slot)
  pool.release(slot)
  t.deepEqual(paid(), [0, 1])
  pool.loans.unlend(slot)
  t.deepEqual([paid(), pool.leases], [[0, 0], 0])
})

test('strict: freed bytes are poisoned', t => {
  const pool = make(true)
  const slot = pool.alloc(64)
  const at = pool.meta[slot * SLOT_WORDS + SLOT_OFFSET]
  pool.bytes.fill(1, at, at + 64)
  pool.release(slot)
  t.true(pool.bytes.subarray(at, at + 64).every(byte => byte === 0xdb))
})

test('releasing many slots at once equals releasing them one by one, for all kinds of slots', t => {
  const book = (all: boolean) => {
    const pool = make()
    const [a, b] = [pool.accounts.open({ ...limits, smallReserve: 3 }), pool.accounts.open(limits)]
    const ids = Uint32Array.from([64, 64, 5000, 64, 64, 64], (length, i) =>
      pool.alloc(length, i === 4 ? b : a),
    )
    pool.retain(ids[1])
    pool.loans.lend(ids[3])
    if (all) pool.releaseAll(ids, 0, ids.length)
    else for (const slot of ids) pool.release(slot)
    const left = [pool.leases, pool.accounts.packets(a), pool.accounts.bytes(a), pool.accounts.packets(b)]
    pool.release(ids[1])
    pool.loans.unlend(ids[3])
    return [
      left,
      pool.leases,
      pool.accounts.packets(a),
      pool.accounts.packets(b),
      pool.accounts.unusedReserve(a, 0),
    ]
  }
  t.deepEqual(book(true), book(false))
  t.deepEqual(book(true), [[2, 1, 64, 0], 0, 0, 0, 3])
})
