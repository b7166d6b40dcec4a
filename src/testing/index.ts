// The exports of `rx-vhost/testing`. None of them loads the addon.
export {
  type ComplianceCheck,
  type ComplianceKit,
  type ComplianceRow,
  complianceChecks,
} from './compliance.js'
export type { SnapshotOptions } from './expectations.js'
export { FakeDevice, type FakeDeviceOptions } from './fake-device.js'
export { FakeLoop } from './fake-loop.js'
export { FakePort, type FakePortOptions } from './fake-port.js'
export {
  type FakePlane,
  type FromGuest,
  fakeFromGuest,
  fakePlane,
  fakeToGuest,
  type ToGuest,
} from './fake-queues.js'
export { frame, frames, numberOf } from './frames.js'
export { type FakeQueueOptions, type MarbleHelpers, type MarbleOptions, marbles } from './marbles.js'
export {
  checksum,
  type EthernetOptions,
  ethernet,
  type Ipv4Options,
  ipv4,
  type TcpOptions,
  tcp,
  type UdpOptions,
  udp,
} from './packets.js'
export type { Expectation, MarbleValues } from './recording.js'
export type { VirtualTime } from './virtual-time.js'
