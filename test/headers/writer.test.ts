// The header writer: each field that can be set, and the checksums that follow. What it makes by differences must be
// what a sum of the whole makes, whether around a tunnel, in a first fragment, or with a checksum left to the sink.
import test from 'ava'
import fc from 'fast-check'
import { HeaderReader, HeaderWriter, ipv4Address, ipv6Address } from '../../src/headers/index.js'
import { corpus } from './support/corpus.js'
import { fieldsOf, type names, type Said, saidBy } from './support/fields.js'
import { rewritten, withPacket } from './support/packets.js'

const reader = new HeaderReader()
const writer = new HeaderWriter()

/** Header → field → its width in bits. Lengths are apart: they must agree with the frame. */
const settable: Record<string, Record<string, number>> = {
  ethernet: { sourceAddress: 48, destinationAddress: 48 },
  vlan: { priorityCodePoint: 3, vlanIdentifier: 12 },
  innerVlan: { priorityCodePoint: 3, vlanIdentifier: 12 },
  arp: {
    operation: 16,
    senderHardwareAddress: 48,
    senderProtocolAddress: 32,
    targetHardwareAddress: 48,
    targetProtocolAddress: 32,
  },
  ipv4: {
    differentiatedServices: 6,
    congestionNotification: 2,
    identification: 16,
    timeToLive: 8,
    sourceAddress: 32,
    destinationAddress: 32,
  },
  ipv6: { trafficClass: 8, flowLabel: 20, hopLimit: 8 },
  tcp: {
    ...{ sourcePort: 16, destinationPort: 16, sequenceNumber: 32, acknowledgmentNumber: 32 },
    ...{ flags: 8, window: 16, urgentPointer: 16, maximumSegmentSize: 16 },
  },
  udp: { sourcePort: 16 },
  icmp: { type: 8, code: 8, identifier: 16, sequenceNumber: 16 },
  icmpv6: { type: 8, code: 8, identifier: 16, sequenceNumber: 16 },
  vxlan: { networkIdentifier: 24 },
  gre: { key: 32, sequenceNumber: 32 },
}
const all = Object.entries(settable).flatMap(([header, fields]) =>
  Object.keys(fields).map(field => [header, field] as const),
)

type Views = Record<string, Record<string, number> | undefined>
const views = (headers: HeaderWriter): Views => headers as unknown as Views

/** What a run writes: a field, a value of 48 bits, and into which of the nested frames. */
interface Write {
  field: readonly [header: string, field: string]
  value: number
  depth: number
}
const writes = fc.array(
  fc.record({
    field: fc.constantFrom(...all, ['ipv6', 'source'] as const, ['ipv6', 'destination'] as const),
    value: fc.oneof(fc.constantFrom(0, 2 ** 48 - 1), fc.nat({ max: 2 ** 48 - 1 })),
    depth: fc.nat(1),
  }),
  { maxLength: 12, minLength: 1 },
)

/** Writes where the header and the field are there. */
function apply(headers: HeaderWriter, { field: [header, field], value, depth }: Write): void {
  const at = depth === 1 ? headers.inner : headers
  const view = at && views(at)[header]
  if (at === undefined || view === undefined) return
  if (header === 'ipv6' && field in { source: 1, destination: 1 }) {
    const address = Uint8Array.from({ length: 16 }, (_, i) => (value >>> i) & 0xff)
    if (field === 'source') at.ipv6?.setSource(address)
    else at.ipv6?.setDestination(address)
  } else if (view[field] !== undefined) view[field] = value % 2 ** settable[header][field]
}

const statuses = (frame: Uint8Array): string[] => {
  const found: string[] = []
  const collect = (said: Said): void => {
    for (const [name, fields] of Object.entries(said))
      if (name === 'inner') collect(fields as Said)
      else
        for (const key of ['checksumStatus', 'headerChecksumStatus'])
          if (fields && key in fields) found.push(`${name} ${String(fields[key])}`)
  }
  withPacket(frame, packet => collect(saidBy(reader.of(packet))))
  return found
}

const filled = (frame: Uint8Array): Buffer =>
  rewritten(frame, packet => {
    writer.of(packet)
    const { inner } = writer
    if (inner) inner.fillChecksums()
    else writer.fillChecksums()
  })

test('what is set is read, all checksums stay good, and no other field changes', t => {
  let seen = 0
  for (const [name, frame] of Object.entries(corpus))
    for (const [header, field] of all) {
      let expected: object | undefined
      const value = (2 ** 48 - 12345) % 2 ** settable[header][field]
      const made = rewritten(frame, packet => {
        const view = views(writer.of(packet))[header]
        if (view?.[field] === undefined) return
        seen++
        expected = { ...fieldsOf(view), [field]: value }
        view[field] = value
        t.is(view[field], value, `${name}: ${header}.${field}`)
      })
      if (expected === undefined) continue
      withPacket(made, packet => {
        const view = reader.of(packet)[header as (typeof names)[number]]
        t.deepEqual(plain(fieldsOf(view as object)), plain(expected as object), `${name}: ${header}.${field}`)
      })
      t.deepEqual(statuses(made), statuses(frame), `${name}: ${header}.${field}`)
    }
  t.true(seen > 250)
})

/** Without what follows from other fields. */
function plain(fields: object): object {
  const { checksum, headerChecksum, ...rest } = fields as Record<string, unknown>
  return rest
}

test('all corpus frames have good checksums to begin with, and computing them anew changes nothing', t => {
  for (const [name, frame] of Object.entries(corpus)) {
    t.notRegex(statuses(frame).join(), /bad/, name)
    t.deepEqual(filled(frame), Buffer.from(frame), name)
  }
})

const frames = Object.entries(corpus)

test('any writes at all: by differences as by a sum of the whole', t => {
  fc.assert(
    fc.property(fc.constantFrom(...frames), writes, ([name, frame], writes) => {
      const made = rewritten(frame, packet => {
        writer.of(packet)
        for (const write of writes) apply(writer, write)
      })
      t.deepEqual(statuses(made), statuses(frame), name)
      t.deepEqual(filled(made), made, name)
    }),
    { numRuns: 4000 },
  )
})

test('a first fragment follows too: put together with the others, the datagram has a good checksum', t => {
  const [first, last] = [corpus['udp, first fragment'], corpus['udp, last fragment']]
  fc.assert(
    fc.property(fc.nat(0xffff), fc.nat(0xffffffff), (port, address) => {
      const [a, b] = [first, last].map(fragment =>
        rewritten(fragment, packet => {
          const { ipv4, udp } = writer.of(packet)
          if (ipv4) ipv4.destinationAddress = address
          if (udp) udp.sourcePort = port
        }),
      )
      const whole = Buffer.concat([a, b.subarray(34)])
      whole.writeUInt16BE(whole.length - 14, 16)
      whole.writeUInt16BE(0, 20)
      withPacket(whole, packet => t.is(reader.of(packet).udp?.checksumStatus, 'good'))
    }),
  )
})

test('a wrong checksum stays as wrong as it was', t => {
  fc.assert(
    fc.property(writes, fc.integer({ min: 1, max: 0xfffe }), (writes, wrong) => {
      const frame = Buffer.from(corpus.tcp)
      frame.writeUInt16BE((frame.readUInt16BE(50) + wrong) % 0xffff, 50)
      const made = rewritten(frame, packet => {
        writer.of(packet)
        for (const write of writes) apply(writer, write)
      })
      t.deepEqual(statuses(made), ['ipv4 good', 'tcp bad'])
    }),
  )
})

// What a guest with checksum offload sends: the sum of the pseudo-header in the field, the rest for whoever needs it.
const CHECKSUM_FIELD: Record<string, number> = { tcp: 16, udp: 6, icmpv6: 2 }

function transportOf(frame: Uint8Array): { at: number; end: number; field: number } | undefined {
  return withPacket(frame, packet => {
    let headers: HeaderReader = reader.of(packet)
    for (let inner = headers.inner; inner; inner = inner.inner) headers = inner
    for (const name of ['tcp', 'udp', 'icmpv6'] as const) {
      const view = headers[name]
      if (view?.checksumStatus !== 'good') continue
      const { ipv4, ipv6 } = headers
      const end = ipv4
        ? ipv4.payloadOffset + ipv4.payloadLength
        : (ipv6?.payloadOffset ?? 0) + (ipv6?.payloadLength ?? 0)
      return { at: view.offset, end, field: view.offset + CHECKSUM_FIELD[name] }
    }
    return undefined
  })
}

const sum = (bytes: Uint8Array): number => {
  let total = 0
  for (let i = 0; i < bytes.length; i += 2) total += bytes[i] * 256 + (bytes[i + 1] ?? 0)
  return total % 0xffff
}

/** The checksum that is good over these bytes leaves the pseudo-header's sum when the bytes are taken away. */
function toPartial(
  frame: Uint8Array,
  { at, end, field }: { at: number; end: number; field: number },
): Buffer {
  const bytes = Buffer.from(frame)
  bytes.writeUInt16BE((0xffff - sum(bytes.subarray(at, end))) % 0xffff, field)
  return bytes
}

function complete(frame: Buffer, { at, end, field }: { at: number; end: number; field: number }): Buffer {
  frame.writeUInt16BE(0xffff - sum(frame.subarray(at, end)) || 0xffff, field)
  return frame
}

test('a checksum left to be done is good once it is done, whatever was written, and so are those around', t => {
  const offloaded = frames.flatMap(([name, frame]) => {
    const place = transportOf(frame)
    return place ? [{ name, frame, place }] : []
  })
  t.true(offloaded.length >= 15)
  for (const { name, frame, place } of offloaded) {
    // The helpers agree with the corpus.
    t.deepEqual(statuses(complete(toPartial(frame, place), place)), statuses(frame), name)
  }
  fc.assert(
    fc.property(fc.constantFrom(...offloaded), writes, ({ name, frame, place }, writes) => {
      const made = rewritten(toPartial(frame, place), packet => {
        packet.header.flags = 1
        packet.header.checksumStart = place.at
        packet.header.checksumOffset = place.field - place.at
        writer.of(packet)
        for (const write of writes) apply(writer, write)
        const before = packet.toBuffer()
        const innermost = writer.inner ?? writer
        innermost.fillChecksums()
        t.is(packet.uint16(place.field) % 0xffff, before.readUInt16BE(place.field) % 0xffff, name)
        packet.set(before)
      })
      t.deepEqual(statuses(complete(made, place)), statuses(frame), name)
    }),
    { numRuns: 2000 },
  )
})

test('an outer checksum left to be done: those inside the tunnel follow', t => {
  const frame = corpus['vxlan, checksum']
  const place = { at: 34, end: frame.length, field: 40 }
  fc.assert(
    fc.property(writes, writes => {
      const made = rewritten(toPartial(frame, place), packet => {
        packet.header.flags = 1
        packet.header.checksumStart = place.at
        writer.of(packet)
        for (const write of writes) apply(writer, write)
      })
      t.deepEqual(statuses(complete(made, place)), statuses(frame))
    }),
  )
})

test('lengths: zeros behind, and the checksums stay good', t => {
  for (const name of ['tcp', 'udp', 'tcp6', 'udp6', 'icmp6', 'icmp'])
    t.deepEqual(
      statuses(
        rewritten(corpus[name], packet => {
          packet.append(10)
          const { ipv4, ipv6, udp } = writer.of(packet)
          if (ipv4) ipv4.totalLength += 10
          if (ipv6) ipv6.payloadLength += 10
          if (udp) udp.datagramLength += 10
        }),
      ),
      statuses(corpus[name]),
      name,
    )
})

test('RFC 1624: a checksum by difference is that of the whole, also where words sum to zero', t => {
  const zeroOr = (max: number): fc.Arbitrary<number> => fc.oneof(fc.constantFrom(0, max), fc.nat({ max }))
  const original = corpus.icmp
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(...Object.keys(settable.icmp)), zeroOr(0xffff)), { minLength: 1 }),
      fc.boolean(),
      (writes, empty) => {
        const frame = Uint8Array.from(original)
        // Nothing but zeros behind the ICMP header, so that it can be all zeros.
        if (empty) frame.fill(0, 14 + 20 + 8)
        const made = rewritten(filled(frame), packet => {
          const { icmp } = writer.of(packet)
          for (const [field, value] of writes) (icmp as unknown as Record<string, number>)[field] = value
        })
        t.deepEqual(filled(made), made)
        withPacket(made, packet => t.is(reader.of(packet).icmp?.checksumStatus, 'good'))
      },
    ),
    {
      examples: [[['type', 'code', 'identifier', 'sequenceNumber'].map(field => [field, 0]), true]] as never,
    },
  )
})

test('RFC 1624: ICMP words that go from 0xffff to 0 leave a good checksum when the whole message is zeros', t => {
  const frame = Uint8Array.from(corpus.icmp).fill(0, 14 + 20)
  for (const fields of [
    ['identifier'],
    ['sequenceNumber'],
    ['type', 'code'],
    ['identifier', 'sequenceNumber'],
  ])
    for (const values of [
      [0xffff, 0],
      [1, 0xffff, 0],
      [0xffff, 0, 0xffff],
    ]) {
      const made = rewritten(filled(frame), packet => {
        const { icmp } = writer.of(packet)
        for (const value of values)
          for (const field of fields) (icmp as unknown as Record<string, number>)[field] = value
      })
      t.deepEqual(statuses(made), ['ipv4 good', 'icmp good'], `${fields}: ${values}`)
      t.deepEqual(filled(made), made, `${fields}: ${values}`)
    }
})

/** For each header with a checksum: the fields whose words the checksum covers, and which can take any value. */
const balancing: Record<string, { fields: readonly string[]; checksum: string }> = {
  ipv4: { fields: ['identification'], checksum: 'headerChecksum' },
  tcp: { fields: ['sourcePort', 'window', 'urgentPointer'], checksum: 'checksum' },
  udp: { fields: ['sourcePort'], checksum: 'checksum' },
  icmp: { fields: ['identifier', 'sequenceNumber'], checksum: 'checksum' },
  icmpv6: { fields: ['identifier', 'sequenceNumber'], checksum: 'checksum' },
}

test('RFC 1624: any checksum by difference is that of the whole where the words around it sum to zero', t => {
  const balanced = new Set<string>()
  fc.assert(
    fc.property(
      fc.constantFrom(...frames),
      fc.array(fc.oneof(writes, fc.constantFrom(...Object.keys(balancing))), { minLength: 1, maxLength: 6 }),
      fc.nat(2),
      ([name, frame], steps, pick) => {
        const made = rewritten(frame, packet => {
          writer.of(packet)
          for (const step of steps) {
            if (typeof step !== 'string') {
              for (const write of step) apply(writer, write)
              continue
            }
            for (const [depth, headers] of [writer, writer.inner].entries()) {
              const view = headers && views(headers)[step]
              if (view === undefined) continue
              const { fields, checksum } = balancing[step]
              const field = fields[pick % fields.length]
              // The checksum is the complement of the sum, so adding it makes the sum 0xffff, which is zero. The field
              // then takes both of its own zeros.
              const sum = view[field] + view[checksum]
              view[field] = sum > 0xffff ? sum - 0xffff : sum
              if (view[field] === 0xffff) view[field] = 0
              balanced.add(`${step} ${depth} ${view[checksum]}`)
            }
          }
        })
        t.deepEqual(statuses(made), statuses(frame), name)
        t.deepEqual(filled(made), made, name)
      },
    ),
    // A seed, because the last lines check which sums the steps have reached.
    { numRuns: 3000, seed: 1624 },
  )
  // UDP never has 0, where it has a checksum. The others have 0 for a sum of 0xffff.
  for (const step of ['ipv4 0 0', 'tcp 0 0', 'udp 0 65535', 'icmp 0 0', 'icmpv6 0 0', 'tcp 1 0'])
    t.true(balanced.has(step), `${step} of ${[...balanced].join(', ')}`)
})

test('fillChecksums after the payload was written, inside a tunnel and around', t => {
  const { length } = corpus['vxlan, checksum']
  const made = rewritten(corpus['vxlan, checksum'], packet => {
    packet.setUint8(length - 1, 1)
    writer.of(packet).inner?.fillChecksums()
  })
  t.deepEqual(statuses(made), statuses(corpus['vxlan, checksum']))
})

test('an option at an odd place', t => {
  const frame = corpus['tcp, syn'].slice()
  // NOP, MSS, NOP for MSS, SACK permitted.
  frame.set([1, 2, 4, 5, 0xb4, 1, 1, 1], 54)
  const made = rewritten(filled(frame), packet => {
    const { tcp } = writer.of(packet)
    if (tcp) tcp.maximumSegmentSize = 0x1234
  })
  withPacket(made, packet => t.is(reader.of(packet).tcp?.maximumSegmentSize, 0x1234))
  t.deepEqual(statuses(made), ['ipv4 good', 'tcp good'])
})

test('a routed packet: its last destination is elsewhere, so TCP does not follow the destination', t => {
  const frame = corpus['tcp6, extensions'].slice()
  frame[14 + 40 + 8 + 16 + 3] = 1
  const before = frame.subarray(118, 120)
  const made = rewritten(frame, packet => {
    writer.of(packet).ipv6?.setDestination(ipv6Address('2001:db8::9'))
    t.is(reader.of(packet).tcp?.checksumStatus, 'unverified')
  })
  t.deepEqual(new Uint8Array(made.subarray(118, 120)), before)
})

test('what is not there can not be set', t => {
  const fails = (frame: Uint8Array, write: () => void): unknown =>
    rewritten(frame, packet => {
      writer.of(packet)
      t.throws(write, { instanceOf: TypeError })
    })
  const other = corpus.arp.slice()
  other[15] = 6
  fails(other, () => {
    if (writer.arp) writer.arp.targetProtocolAddress = 1
  })
  fails(corpus.tcp, () => {
    if (writer.tcp) writer.tcp.maximumSegmentSize = 1
  })
  fails(corpus.gre, () => {
    if (writer.gre) writer.gre.key = 1
  })
  fails(corpus.tcp6, () => writer.ipv6?.setSource(new Uint8Array(4)))
})

test('a writable view ends with its packet', t => {
  let late: HeaderWriter['ipv4']
  rewritten(corpus.tcp, packet => {
    late = writer.of(packet).ipv4
  })
  t.throws(
    () => {
      if (late) late.sourceAddress = ipv4Address('192.0.2.9')
    },
    { code: 'ERR_VHOST_LEASE_ENDED' },
  )
})
