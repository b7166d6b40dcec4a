// On a virtual machine the two cores drift apart and together: a cache line takes 45 to 230 ns from one to the other, and
// every rate follows by a factor of two. Slices are compared only with slices of the same class.

export interface CrossingClass {
  name: string
  /** Crossings below this many nanoseconds. */
  below: number
}

export const classes: readonly CrossingClass[] = [
  { name: 'near', below: 100 },
  { name: 'far', below: 200 },
  { name: 'very far', below: Number.POSITIVE_INFINITY },
]

export const classOf = (ns: number): string => (classes.find(({ below }) => ns < below) as CrossingClass).name
