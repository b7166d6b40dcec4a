// The kinds of devices by name. A state holds the name, so that it stays plain data.
import type { DeviceKind } from '../kind.js'
import type { KindName } from '../types.js'
import { net } from './net.js'

export const kinds: Readonly<Record<KindName, DeviceKind>> = { net }
