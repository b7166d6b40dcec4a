#pragma once
namespace rxvhost::addon {
class GuestTable {};
}  // namespace rxvhost::addon
