// What bench/micro concludes from its figures, and how it reads a profile. The figures themselves are CI's to gate.
import test from 'ava'
import type { Figure } from '../../bench/micro/measure.js'
import { parseProfile } from '../../bench/micro/profile.js'
import type { Toolchain } from '../../bench/micro/program.js'
import { lowered, type MicroRecord, verdict } from '../../bench/micro/verdict.js'

const tools: Toolchain = { compiler: 'g++ 1', libc: 'libc 1', valgrind: '1', vectors: 'avx2', dpdk: '1' }
const { dpdk: _, ...toolchain } = tools

const figure = (side: Figure['side'], instructions: number, job = 'dequeue', burst = 32): Figure => ({
  ...{ job, size: 64, burst, side, instructions },
  ...{ nanoseconds: 1, units: 1, profile: '' },
})

const record = (instructions: Record<string, number>): MicroRecord => ({ toolchain, instructions })
const failing = (figures: Figure[], known?: MicroRecord, found = tools): string[] =>
  verdict(figures, known, found)
    .filter(({ ok }) => !ok)
    .map(({ text }) => text)

test("more than 1.1 times librte_vhost's instructions fails, so many pass", t => {
  const known = record({ 'dequeue-64-32': 1000 })
  t.deepEqual(failing([figure('ours', 110), figure('theirs', 100)], known), [])
  t.regex(failing([figure('ours', 110.2), figure('theirs', 100)], known).join(), /1\.10 x librte_vhost/)
})

test('only the same job, frame and burst are compared with each other', t => {
  const known = record({ 'dequeue-64-32': 1000, 'dequeue-64-64': 1000 })
  const figures = [figure('ours', 100), figure('ours', 900, 'dequeue', 64), figure('theirs', 100)]
  t.deepEqual(failing(figures, known), [])
  t.is(verdict(figures, known, tools).length, 3)
})

test('an empty poll is not compared with theirs, but may not rise either', t => {
  const figures = [figure('ours', 300, 'dequeue-empty'), figure('theirs', 100, 'dequeue-empty')]
  t.deepEqual(failing(figures, record({ 'dequeue-empty-64-32': 300 })), [])
  t.is(failing(figures, record({ 'dequeue-empty-64-32': 290 })).length, 1)
})

test('a figure above its record fails beyond the margin, and one without a record fails', t => {
  t.deepEqual(failing([figure('ours', 100.4)], record({ 'dequeue-64-32': 100 })), [])
  t.regex(failing([figure('ours', 100.6)], record({ 'dequeue-64-32': 100 })).join(), /100\.00 are recorded/)
  t.regex(failing([figure('ours', 1)], record({})).join(), /none are recorded/)
  t.regex(failing([figure('ours', 1)]).join(), /none are recorded/)
})

test('a record of other tools is skipped, not passed, and the comparison with theirs stays', t => {
  const other = { ...tools, compiler: 'g++ 2' }
  const figures = [figure('ours', 200), figure('theirs', 100)]
  const checks = verdict(figures, record({ 'dequeue-64-32': 100 }), other)
  t.deepEqual(
    checks.map(({ ok, skipped }) => [ok, skipped !== undefined]),
    [
      [false, false],
      [true, true],
    ],
  )
})

test('a record goes down and never up, whatever is measured', t => {
  const known = record({ 'dequeue-64-32': 100, 'enqueue-64-32': 100 })
  const figures = [figure('ours', 90.004), figure('ours', 120, 'enqueue'), figure('theirs', 1)]
  t.deepEqual(lowered(figures, known, tools), record({ 'dequeue-64-32': 90, 'enqueue-64-32': 100 }))
})

test('other tools begin a record of their own', t => {
  const other = { ...tools, libc: 'libc 2' }
  t.deepEqual(lowered([figure('ours', 120)], record({ 'dequeue-64-32': 100 }), other), {
    toolchain: { ...toolchain, libc: 'libc 2' },
    instructions: { 'dequeue-64-32': 120 },
  })
})

test("a profile's lines are a function's own cost: inlined code by its file, calls left out", t => {
  const text = `positions: line
events: Ir
summary: 33

fl=/a/dequeue.cc
fn=dequeue_burst
10 7
fi=/a/pool.h
3 5
fe=/a/dequeue.cc
11 1
cfi=/a/pool.cc
cfn=take
calls=2 60
11 20
10 3

fl=/a/pool.cc
fn=take
60 20

totals: 36
`
  t.deepEqual(
    parseProfile(text).map(cost => [cost.file, cost.line, cost.function, cost.instructions]),
    [
      ['/a/dequeue.cc', 10, 'dequeue_burst', 10],
      ['/a/pool.h', 3, 'dequeue_burst', 5],
      ['/a/dequeue.cc', 11, 'dequeue_burst', 1],
      ['/a/pool.cc', 60, 'take', 20],
    ],
  )
})
