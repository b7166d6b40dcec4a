// A Subject that is made when somebody looks: a driver has several Observables that most programs never ask for. It knows
// no driver.
import { type Observable, Subject } from 'rxjs'

export class LateSubject<T> {
  #subject: Subject<T> | undefined
  #observable: Observable<T> | undefined

  /** What it is told from the first subscription on. The same each time. */
  get observable(): Observable<T> {
    this.#subject ??= new Subject()
    this.#observable ??= this.#subject.asObservable()
    return this.#observable
  }

  /** Is somebody subscribed? */
  get observed(): boolean {
    return this.#subject?.observed === true
  }

  next(value: T): void {
    this.#subject?.next(value)
  }
}
