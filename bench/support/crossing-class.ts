// Classes of core distance. On a virtual machine, a cache line takes 45 to 230 ns from one core to the other, and the
// time changes. All rates change with it, by a factor of two. So slices are compared only within one class.

export interface CrossingClass {
  name: string
  /** The class contains crossings of less than this number of nanoseconds. */
  below: number
}

export const classes: readonly CrossingClass[] = [
  { name: 'near', below: 100 },
  { name: 'far', below: 200 },
  { name: 'very far', below: Number.POSITIVE_INFINITY },
]

export const classOf = (ns: number): string => (classes.find(({ below }) => ns < below) as CrossingClass).name
