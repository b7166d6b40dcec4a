// What the addon has for filter expressions (native/addon/bpf.cc). Types only; src/addon/native.ts joins them.

/** Filter expressions, compiled by libpcap; used through src/bpf. A program is a handle; 0 is none. */
export interface AddonBpf {
  /** Loads libpcap from `path`, or from the system's folders if that is empty. Returns '' or the error. */
  bpfLoad(path: string): string
  /** Returns a program, or libpcap's message about the expression. */
  bpfCompile(expression: string): number | string
  bpfFree(program: number): void
  /** Number of programs of this env, for leak tests. */
  bpfCount(): number
  bpfMatches(program: number, frame: Uint8Array): boolean
  /** Writes 1 or 0 for each of the first `count` slots of a pool's `bytes` and `meta`. */
  bpfFilter(
    program: number,
    bytes: Uint8Array,
    meta: Uint32Array,
    slots: Uint32Array,
    count: number,
    verdicts: Uint8Array,
  ): void
}
