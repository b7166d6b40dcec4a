// What every operator must do, whatever else it does (after the idea of wonka's compliance suite). Each check opens
// with its intent, builds a pipeline on rings in memory with strict leases, and throws if the operator breaks it. For
// your own operators: `for (const check of complianceChecks) check.run(row)` in any test runner.
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
