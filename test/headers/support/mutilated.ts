// Good frames made bad, for fast-check.
import fc from 'fast-check'
import { corpus, lies } from './corpus.js'

const frames = [...Object.values(corpus), ...Object.values(lies).map(([frame]) => frame)]

/** A good frame in which up to eight bytes are others, most of them where headers are, and which may be cut off. */
export const mutilated = fc
  .record({
    frame: fc.constantFrom(...frames),
    changes: fc.array(fc.record({ at: fc.nat(120), value: fc.nat(255) }), { maxLength: 8 }),
    length: fc.option(fc.nat(200)),
  })
  .map(({ frame, changes, length }) => {
    const bytes = frame.slice(0, length ?? undefined)
    for (const { at, value } of changes) if (at < bytes.length) bytes[at] = value
    return bytes
  })
