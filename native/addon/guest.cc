#include "addon/env.h"
namespace rxvhost::addon {
void register_guest(Napi::Env, Napi::Object) {}
}  // namespace rxvhost::addon
