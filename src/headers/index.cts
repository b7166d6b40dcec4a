// The entry for `require`. It loads the same ES modules with Node's require(esm), so that each class exists only once.
import all = require('./index.js')

export = all
