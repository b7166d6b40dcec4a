/**
 * Seconds to wait before measuring an idle Node process. After the last work, V8 frees memory in two or three garbage
 * collections. V8 waits eight seconds or a multiple of eight before each collection; the last was observed after 33
 * seconds. An earlier measurement would include the cost of these collections.
 */
export const V8_SETTLES = 60
