// Runs the cases of the catalogue: each against the stage of its test file, with a sibling device under traffic, and
// with what must hold after every case (the invariants): the process is alive, no fd, token, device or mapping is left,
// no canary was written, the next connection works. Then the same many times over, where a leak would add up.
import { readFileSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import type { DeviceEvent, VhostDriverOptions, VhostError } from 'rx-vhost'
import { type Declare, type Need, needing } from '../../support/needs.js'
import { passesBothWays } from './both-ways.js'
import { census, leavesNothing, noGuestMemory } from './census.js'
import type { FrontEndOptions, HostileFrontEnd } from './front-end.js'
import { Sibling, Stage } from './stage.js'

export { passesBothWays, passesFromGuest, passesToGuest } from './both-ways.js'

/**
 * How often a case is repeated: a thousand times where all is tested, fewer at a desk, and fewest with a sanitizer, which
 * finds in one what a count finds in a thousand.
 */
export const REPEATS = Number(process.env.RX_VHOST_REPEATS ?? (process.env.CI ? 1000 : 100))
/** A variant of a case that was repeated so often before. */
const REPEATS_OF_VARIANT = Math.min(REPEATS, 10)
const repeated = new Set<string>()
/** A leak adds a line to /proc/self/maps a repeat; our own heap adds some hundred, so few repeats tell nothing. */
const MAPS_TELL = 800

export type Fault = DeviceEvent & { type: 'fault' }

export class Scene {
  readonly #fronts: HostileFrontEnd[] = []
  readonly #dropsBefore: Stage['drops']

  constructor(
    readonly t: ExecutionContext,
    readonly stage: Stage,
    readonly sibling: Sibling,
  ) {
    stage.events.length = 0
    stage.delivered.length = 0
    this.#dropsBefore = stage.drops
  }

  /** A front end that has connected and said nothing. */
  async connect(options?: FrontEndOptions): Promise<HostileFrontEnd> {
    const front = await this.stage.connect(options)
    this.#fronts.push(front)
    return front
  }

  /** One whose two rings run. */
  async run(options?: FrontEndOptions, protocol?: bigint): Promise<HostileFrontEnd> {
    return (await this.connect(options)).run(protocol)
  }

  readonly events = <T extends DeviceEvent['type']>(type: T): (DeviceEvent & { type: T })[] =>
    this.stage.events.filter((event): event is DeviceEvent & { type: T } => event.type === type)

  get faults(): VhostError[] {
    return this.events('fault').map(({ error }) => error)
  }

  drops(way: 'fromGuest' | 'toGuest', reason: string): number {
    return (this.stage.drops[way][reason] ?? 0) - (this.#dropsBefore[way][reason] ?? 0)
  }

  checkCanaries(): void {
    for (const front of this.#fronts)
      if (!front.memory.canariesIntact()) throw new Error('a byte outside the shared memory was written')
  }

  async end(): Promise<void> {
    for (const front of this.#fronts) front.dispose()
    this.stage.onBurst = undefined
    await this.stage.idle()
    await noGuestMemory()
  }
}

function mapLines(): number {
  globalThis.gc?.()
  return readFileSync('/proc/self/maps', 'utf8').split('\n').length
}

/** A front end that behaves connects to the same path, and frames pass both ways. */
export async function worksStill(stage: Stage): Promise<void> {
  const front = await stage.connect()
  await front.run()
  await passesBothWays(stage, front)
  front.dispose()
  await stage.idle()
  await noGuestMemory()
}

export interface CaseOptions {
  /** Of the case as a whole. By default REPEATS for the first with this id, a few for its variants; 1 if not cheap. */
  repeats?: number
  /** Without it the case is skipped. */
  need?: Need
  /** Frames that the sibling moves meanwhile. */
  siblingFrames?: number
}

export type Body = (scene: Scene) => Promise<void>

let open: Promise<[Stage, Sibling]> | undefined
let driverOptions: VhostDriverOptions = {}
/** For the driver under attack, in all cases of this file. */
export const stageWith = (options: VhostDriverOptions): void => {
  driverOptions = options
}
const stageOfThisFile = () => {
  open ??= Promise.all([new Stage(driverOptions).open(), new Sibling().open()])
  return open
}

test.after.always(async () => {
  if (!open) return
  for (const it of await open) it.close()
})

async function once(t: ExecutionContext, stage: Stage, sibling: Sibling, body: Body): Promise<void> {
  const scene = new Scene(t, stage, sibling)
  try {
    await body(scene)
    scene.checkCanaries()
  } finally {
    await scene.end()
  }
}

/** A case of the catalogue, by its id. */
export function hostile(id: string, title: string, body: Body, options: CaseOptions = {}): void {
  const { need, repeats = repeated.has(id) ? REPEATS_OF_VARIANT : REPEATS, siblingFrames = 500 } = options
  repeated.add(id)
  const declare: Declare = need ? needing(need) : test.serial
  declare(`${id}: ${title}`, async t => {
    const [stage, sibling] = await stageOfThisFile()
    await worksStill(stage)
    const before = census()
    const moving = sibling.move(siblingFrames)
    await once(t, stage, sibling, body)
    await moving
    await leavesNothing(t, before, 'nothing is left of it')
    await worksStill(stage)

    const times = Math.min(repeats, REPEATS)
    if (times > 1) {
      const lines = mapLines()
      const movingOn = sibling.move(siblingFrames)
      for (let i = 1; i < times; i++) await once(t, stage, sibling, body)
      await movingOn
      await leavesNothing(t, before, `nothing is left of ${times} times`)
      const grown = mapLines() - lines
      if (times >= MAPS_TELL) t.true(grown < times / 2, `mappings do not grow: ${grown}`)
      await worksStill(stage)
    }
    t.pass()
  })
}
