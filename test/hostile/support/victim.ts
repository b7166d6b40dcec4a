// A front end in a process of its own, to be killed: `victim.js <path> <stage>` says when it has reached the stage.
import { GuestPort } from 'rx-vhost/guest'

const [, , path, stage] = process.argv
const port = new GuestPort(path)
const reached = (): unknown => process.send?.(stage)

if (stage === 'connecting') {
  // Killed somewhere in the negotiation: it says so before it has begun, and goes on.
  const connecting = port.connect()
  reached()
  await connecting
} else {
  await port.connect()
  if (stage === 'receiving') port.check({ adopt: true })
  reached()
  if (stage === 'sending') await port.generate()
}
// Alive until it is killed.
setInterval(() => {}, 1 << 30)
