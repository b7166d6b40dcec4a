// A million frames into a file, and out of it again: the same bytes in the same order.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { lastValueFrom } from 'rxjs'
import { replayOn } from '../../src/capture/replay.js'
import { plainPoolArrays } from '../../src/data/pool/arrays.js'
import { Pool } from '../../src/data/pool/pool.js'
import { Scheduler } from '../../src/data/turn/scheduler.js'
import { Turn } from '../../src/data/turn/turn.js'
import { tapPackets } from '../../src/operators/index.js'
import { captureMillion, Digest, MILLION } from './million.js'

test('a million frames are captured and replayed as they were', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-million-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'x.pcapng')
  const pool = new Pool(plainPoolArrays(8 << 20), { strict: false })
  const plane = { pool, scheduler: new Scheduler(), turn: new Turn() }
  const sent = await captureMillion(plane, path)
  const got = new Digest()
  await lastValueFrom(replayOn(() => plane, path, { speed: Infinity }).pipe(tapPackets(got.look)))
  t.is(got.packets, MILLION)
  t.is(got.hex, sent)
  t.is(pool.leases, 0)
})
