// The base of the operators: what rxjs takes it for, and how it ends.
import test from 'ava'
import { type MonoTypeOperatorFunction, Observable, Subject, type Subscriber } from 'rxjs'
import { filterPackets, release, retain, tapPackets } from '../../src/operators/index.js'
import { OperatorSubscriber, SourceSubscriber } from '../../src/operators/shared/operator.js'
import type { Burst } from '../../src/packet/burst.js'
import type { Packet } from '../../src/packet/packet.js'

class Collect extends OperatorSubscriber {
  readonly got: unknown[] = []
  onEnd: () => void = () => {}

  protected onBurst(burst: Burst): void {
    this.got.push(burst)
  }
  protected onPacket(packet: Packet): void {
    this.got.push(packet)
  }
  protected override onError(error: unknown): void {
    this.onEnd()
    super.onError(error)
  }
  protected override onComplete(): void {
    this.onEnd()
    super.onComplete()
  }
}

const packet = {} as Packet

function destination(): Subscriber<Burst | Packet> {
  let made: Subscriber<Burst | Packet> | undefined
  new Observable<Burst | Packet>(subscriber => {
    made = subscriber
  }).subscribe()
  return made as Subscriber<Burst | Packet>
}

test('rxjs subscribes with the subscriber of an operator itself, and puts none around it', t => {
  const operators = [filterPackets(() => true), tapPackets(() => {}), retain(), release()]
  for (const operator of operators as MonoTypeOperatorFunction<Burst>[]) {
    let given: unknown
    new Observable<Burst>(subscriber => {
      given = subscriber
    })
      .pipe(operator)
      .subscribe()
    t.true(given instanceof SourceSubscriber)
  }
})

test('ends with its destination, and tells its source so', t => {
  const source = new Subject<Burst | Packet>()
  const out = destination()
  const step = new Collect(out)
  source.subscribe(step)
  t.true(source.observed)
  out.unsubscribe()
  t.false(source.observed)
  step.next(packet)
  t.deepEqual(step.got, [])
})

for (const end of ['error', 'complete'] as const)
  test(`${end}: nothing passes from inside it on, and it comes once`, t => {
    const ends: string[] = []
    const source = new Subject<Burst | Packet>()
    let step: Collect | undefined
    new Observable<Burst | Packet>(out => {
      step = new Collect(out)
      step.onEnd = () => {
        ends.push(end)
        step?.next(packet)
        step?.error(new Error('again'))
        step?.complete()
      }
      source.subscribe(step)
    }).subscribe({ error: () => ends.push('told'), complete: () => ends.push('told') })
    source.next(packet)
    source[end](new Error('the first'))
    t.deepEqual(ends, [end, 'told'])
    t.is(step?.got.length, 1)
    t.true(step?.closed)
  })

test('is closed also if the destination throws at the end', t => {
  const out = destination()
  out.complete = () => {
    throw new Error('from the destination')
  }
  const step = new Collect(out)
  t.throws(() => step.complete(), { message: 'from the destination' })
  t.true(step.closed)
})
