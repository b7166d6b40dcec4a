// The package as it is published: packed, installed where there is no compiler, and used by each Node.
export default {
  files: ['dist/test/package/**/*.test.js'],
  workerThreads: false,
  concurrency: 1,
  timeout: '3m',
}
