// What the addon has for devices and their rings (native/addon/devices.cc). Types; src/addon/native.ts joins them.
import type { FdToken } from './sockets.js'

/** Devices, their memory and rings. Negative results are reasons. */
export interface AddonDevices {
  /** A number for a driver, unique in the process. */
  driverNumber(): number
  /** `driver`: devices with the same number share the threads that map their memory. */
  deviceCreate(driver: number): number
  deviceDestroy(device: number): void
  deviceLogCall(device: number, token: FdToken): number
  deviceLogBuffers(device: number, on: boolean): number
  /** `address`: the guest-physical address of the used ring. */
  ringLog(device: number, ring: number, on: boolean, address: bigint): number
  deviceMtu(device: number, mtu: number): number
  /** `which`: 0 kick, 1 call, 2 error. */
  ringFd(device: number, ring: number, which: number, token: FdToken): number
  /**
   * `config`: size, base, flags. `addresses`: descriptors, used, available, log, as user addresses. Returns the index at
   * which the ring resumes.
   */
  ringStart(
    device: number,
    ring: number,
    config: Uint32Array,
    addresses: BigUint64Array,
    features: bigint,
  ): number
  /** Returns the ring's base, or -1 if it was not running. */
  ringStop(device: number, ring: number): number
  /** Number of devices in the whole process, for leak tests. */
  deviceCount(): number
  /** The reasons of native/core/base/result.h, in order. */
  reasonNames(): string[]
}
