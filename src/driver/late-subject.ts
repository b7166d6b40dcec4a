// A Subject that is made at first use: a driver has several Observables that most programs never use.
import { type Observable, Subject } from 'rxjs'

export class LateSubject<T> {
  #subject: Subject<T> | undefined
  #observable: Observable<T> | undefined

  /** The values, from the subscription on. The same Observable each time. */
  get observable(): Observable<T> {
    this.#subject ??= new Subject()
    this.#observable ??= this.#subject.asObservable()
    return this.#observable
  }

  /** Whether somebody is subscribed. */
  get observed(): boolean {
    return this.#subject?.observed === true
  }

  next(value: T): void {
    this.#subject?.next(value)
  }
}
