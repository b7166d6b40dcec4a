// When a Node process costs nothing but what it does.
/**
 * Seconds. After the last work V8 gives back what that has left, in two or three collections. Each waits for eight seconds,
 * or for several times eight; the last was seen after 33. Who measures idling before has measured V8.
 */
export const V8_SETTLES = 60
