// The entry for `require`: the same modules, by Node's require(esm), so that there is one copy of each class.
import all = require('./index.js')

export = all
