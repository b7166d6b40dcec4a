// What the addon has for filter expressions (native/addon/bpf.cc). Types only; src/addon/native.ts joins them.

/** Filter expressions, by libpcap; used through src/bpf. A program is a handle, 0 is none. */
export interface AddonBpf {
  /** Loads libpcap from `path`, or from where the system has it if that is empty; '' or what went wrong. */
  bpfLoad(path: string): string
  /** A program, or what libpcap says against the expression. */
  bpfCompile(expression: string): number | string
  bpfFree(program: number): void
  /** Programs of this env, for leak tests. */
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
