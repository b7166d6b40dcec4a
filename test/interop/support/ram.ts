// A guest's RAM as QEMU's monitor saves it: where two copies differ, and whose bytes those are. The rings are those that
// the back end was told of, out of the trace.
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { type Guest, RAM_BYTES } from './qemu.js'

const PAGE = 4096

/** All of a guest's RAM, saved to a file by QEMU's monitor. */
export async function saveRam(guest: Guest, file: string): Promise<void> {
  await guest.monitor.command('pmemsave', {
    val: 0,
    size: guest.options.ramBytes ?? RAM_BYTES,
    filename: file,
  })
}

/** Pages of 4 KiB in which the files differ, by number. */
export async function differingPages(one: string, other: string): Promise<number[]> {
  const differ: number[] = []
  const options = { highWaterMark: 1 << 20 }
  const others = createReadStream(other, options)[Symbol.asyncIterator]()
  let page = 0
  for await (const chunk of createReadStream(one, options)) {
    const { value } = await others.next()
    for (let at = 0; at < chunk.length; at += PAGE, page++)
      if (Buffer.compare(chunk.subarray(at, at + PAGE), value.subarray(at, at + PAGE)) !== 0)
        differ.push(page)
  }
  return differ
}

interface Area {
  name: string
  /** Guest-physical. */
  start: number
  end: number
}

interface Traced {
  way: string
  request: string
  data: {
    ring?: number
    value?: number
    regions?: { guest: string; size: string; user: string }[]
    descriptors?: string
    available?: string
    used?: string
  }
}

/** Where the rings last were, from the lines of a trace. */
function ringAreas(trace: readonly string[]): Area[] {
  const regions: { guest: bigint; size: bigint; user: bigint }[] = []
  const sizes = new Map<number, number>()
  const areas = new Map<number, Area[]>()
  const guestAddress = (user: string): number => {
    const at = BigInt(user)
    const region = regions.find(one => at >= one.user && at < one.user + one.size)
    return region ? Number(at - region.user + region.guest) : Number.NaN
  }
  for (const line of trace) {
    const { way, request, data } = JSON.parse(line) as Traced
    if (way !== 'in') continue
    for (const { guest, size, user } of data.regions ?? [])
      regions.unshift({ guest: BigInt(guest), size: BigInt(size), user: BigInt(user) })
    if (request === 'SET_VRING_NUM') sizes.set(data.ring!, data.value!)
    if (request !== 'SET_VRING_ADDR') continue
    const ring = data.ring!
    const entries = sizes.get(ring) ?? 0
    // virtio 1.2 §2.7, with the event fields.
    const parts = [
      ['descriptors', data.descriptors!, 16 * entries],
      ['available', data.available!, 6 + 2 * entries],
      ['used', data.used!, 6 + 8 * entries],
    ] as const
    areas.set(
      ring,
      parts.map(([part, user, bytes]) => {
        const start = guestAddress(user)
        return { name: `ring ${ring} ${part}`, start, end: start + bytes }
      }),
    )
  }
  return [...areas.values()].flat()
}

/** The first bytes that differ at each run of them, of one page. */
function differences(page: number, one: Buffer, other: Buffer, areas: readonly Area[]): string[] {
  const runs: string[] = []
  for (let at = 0; at < PAGE; at++) {
    if (one[at] === other[at]) continue
    let end = at
    // Runs that are less than 8 bytes apart are told as one.
    for (let next = at; next < Math.min(PAGE, end + 8); next++) if (one[next] !== other[next]) end = next + 1
    const address = page * PAGE + at
    const area = areas.find(({ start, end }) => address >= start && address < end)
    const where = area ? `${area.name} + ${address - area.start}` : 'no ring'
    const bytes = (ram: Buffer): string => ram.subarray(at, Math.min(end, at + 32)).toString('hex')
    runs.push(`0x${address.toString(16)}, ${end - at} bytes, ${where}: ${bytes(one)} there ${bytes(other)}`)
    at = end
  }
  return runs
}

/** What differs in these pages: guest-physical addresses, the ring that lies there, the bytes on either side. */
export async function describePages(
  pages: readonly number[],
  one: string,
  other: string,
  trace: readonly string[],
): Promise<string> {
  const areas = ringAreas(trace)
  const files = await Promise.all([open(one), open(other)])
  const lines: string[] = []
  for (const page of pages) {
    const [a, b] = await Promise.all(
      files.map(async file => (await file.read(Buffer.alloc(PAGE), 0, PAGE, page * PAGE)).buffer),
    )
    const runs = differences(page, a!, b!, areas)
    lines.push(`page ${page}: ${runs.length} runs`, ...runs.slice(0, 8).map(run => `  ${run}`))
  }
  await Promise.all(files.map(file => file.close()))
  return lines.join('\n')
}
