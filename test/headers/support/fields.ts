// All that a reader says of a packet, as plain objects: each getter of each view.
import type { HeaderReader } from '../../../src/headers/index.js'

export type Fields = Record<string, unknown>
export interface Said {
  [header: string]: Fields | Said | undefined
}

export const names = [
  ...(['ethernet', 'vlan', 'innerVlan', 'arp', 'ipv4', 'ipv6', 'fragment'] as const),
  ...(['tcp', 'udp', 'icmp', 'icmpv6', 'vxlan', 'gre'] as const),
]

/** The values of the getters of an object, its classes' as well. */
export function fieldsOf(view: object): Fields {
  const fields: Fields = {}
  for (let type = Object.getPrototypeOf(view); type !== Object.prototype; type = Object.getPrototypeOf(type))
    for (const [name, { get }] of Object.entries(Object.getOwnPropertyDescriptors(type)))
      if (get && !(name in fields)) fields[name] = get.call(view)
  return fields
}

export function saidBy(reader: HeaderReader): Said {
  const said: Said = {}
  for (const name of names) {
    const view = reader[name]
    if (view !== undefined) said[name] = fieldsOf(view)
  }
  if (reader.ipv6) said.extensions = extensionsOf(reader)
  const { inner } = reader
  if (inner !== undefined) said.inner = saidBy(inner)
  return said
}

function extensionsOf(reader: HeaderReader): Fields {
  const found: Fields = {}
  for (const type of [0, 43, 44, 51, 60]) {
    const extension = reader.ipv6?.extension(type)
    if (extension) found[type] = fieldsOf(extension)
  }
  return found
}
