// The MTU that QEMU is told for a device (`host_mtu=`): taken by the guest and by us, or refused, and seen so by QEMU.
import test from 'ava'
import { until } from './support/program.js'
import { qemuBuilds } from './support/qemu.js'
import { withSwitch } from './support/switched.js'

for (const qemu of qemuBuilds())
  test(`QEMU ${qemu.version}: an MTU is taken, and one that the program does not allow is refused`, async t => {
    const wanted = [{ device: 'host_mtu=1400' }, { device: 'host_mtu=9000', driver: { maxMtu: 1500 } }]
    await withSwitch(t, qemu, wanted, async ({ guests, places }) => {
      const [taken, refused] = guests as [(typeof guests)[0], (typeof guests)[0]]
      const [{ events: ofTaken }, { events: ofRefused }] = places as [(typeof places)[0], (typeof places)[0]]
      await until('the MTU', () => ofTaken.some(event => event.type === 'mtu'))
      t.like(
        ofTaken.find(event => event.type === 'mtu'),
        { mtu: 1400 },
      )
      t.is(await taken.shell.must('cat /sys/class/net/eth0/mtu'), '1400')
      await until('the refusal', () => ofRefused.some(event => event.type === 'refused'))
      t.like(
        ofRefused.find(event => event.type === 'refused'),
        { request: 'NET_SET_MTU', reason: 'mtu_range' },
      )
      await refused.program.line(/MTU not supported by the back-?end/)
      t.false(
        ofRefused.some(event => event.type === 'ready'),
        'QEMU starts no device then',
      )
    })
  })
