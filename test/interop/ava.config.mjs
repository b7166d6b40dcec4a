// The interop tests: real front ends, one test at a time, since two guests and a back end fill two cores. The examples
// run as users run them, without strict leases.
export default {
  files: ['dist/test/interop/**/*.test.js'],
  workerThreads: false,
  concurrency: 1,
  serial: true,
  timeout: '10m',
  nodeArguments: ['--expose-gc'],
}
