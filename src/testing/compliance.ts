// Checks the rules that hold for every operator (the idea is from wonka's compliance suite). Each check builds a
// pipeline on rings in memory with strict leases, and throws if the operator breaks the rule. For your own operators,
// use `for (const check of complianceChecks) check.run(row)` in any test runner.
import type { ComplianceCheck } from './compliance/bench.js'
import { borrowChecks } from './compliance/borrows.js'
import { interruptionChecks } from './compliance/interruptions.js'
import { streamChecks } from './compliance/streams.js'

export type { ComplianceCheck, ComplianceKit, ComplianceRow } from './compliance/bench.js'

/** All checks; each runs on bursts and on single packets. */
export const complianceChecks: readonly ComplianceCheck[] = [
  ...streamChecks,
  ...interruptionChecks,
  ...borrowChecks,
]
