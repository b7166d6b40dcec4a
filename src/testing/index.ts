// What `rx-vhost/testing` exports. Nothing here loads the addon.
export {
  type ComplianceCheck,
  type ComplianceKit,
  type ComplianceRow,
  complianceChecks,
} from './compliance.js'
export { FakeLoop } from './fake-loop.js'
export { FakePort, type FakePortOptions } from './fake-port.js'
export { type FakePlane, fakeFromGuest, fakePlane, fakeToGuest } from './fake-queues.js'
export { frame, frames, numberOf } from './frames.js'
