// The interop tests: real front ends, one test at a time, since two guests and a back end fill two cores.
export default {
  files: ['dist/test/interop/**/*.test.js'],
  workerThreads: false,
  concurrency: 1,
  serial: true,
  timeout: '10m',
  nodeArguments: ['--expose-gc'],
  environmentVariables: { RX_VHOST_LEASES: 'strict' },
}
