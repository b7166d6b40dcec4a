# The addon. It sits here and not at the root of the repository because npm runs an implicit build for a
# root binding.gyp. Sources are listed by folder: core/ (no Node), guest/ (driver side), addon/ (Node-API).
{
  # portable: without libstdc++.so, whose age differs more between systems than libc's. What run.mjs builds, and so what is
  # published; not the default, since not every system has the static library.
  # libpcap: an archive of it to link, or nothing; libpcap.mjs says which.
  "variables": { "sanitize%": "", "portable%": 0, "libpcap": "<!(node libpcap.mjs)" },
  "targets": [{
    "target_name": "rx_vhost",
    "sources": ["<!@(node -p \"['core/base','core/memory','core/virtqueue','core/vhost','core/net','core/bpf','core/tap','guest','addon'].flatMap(d => fs.existsSync(d) ? fs.readdirSync(d).filter(f => f.endsWith('.cc')).map(f => d + '/' + f) : []).join(' ')\")"],
    "include_dirs": [".", "<!(node -p \"require('node-addon-api').include_dir\")"],
    "defines": ["NAPI_VERSION=8", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED", "_GNU_SOURCE"],
    "cflags": ["-O3", "-g", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-fvisibility=hidden", "-fno-strict-aliasing"],
    "cflags!": ["-O2"],
    "cflags_cc": ["-std=c++20", "-fno-exceptions", "-fno-rtti"],
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fexceptions", "-frtti"],
    # Node unloads an addon that only workers loaded; a signal handler or thread of ours would lose its code.
    "ldflags": ["-Wl,-z,nodelete"],
    # dlopen, for a libpcap that is loaded at run time; a part of libc since glibc 2.34.
    "libraries": ["-ldl"],
    "conditions": [
      ["libpcap!=''", {
        "defines": ["RXVHOST_STATIC_LIBPCAP"],
        "libraries": ["<(libpcap)"],
        # Another libpcap in this process neither sees these functions nor takes their place.
        "ldflags": ["-Wl,--exclude-libs,libpcap.a"]
      }],
      ["portable==1", {
        "cflags": ["-ffunction-sections", "-fdata-sections"],
        "ldflags": ["-static-libstdc++", "-Wl,--exclude-libs,ALL", "-Wl,--gc-sections"]
      }],
      ["sanitize!=''", {
        "cflags": ["-fsanitize=<(sanitize)", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all", "-O1"],
        "ldflags": ["-fsanitize=<(sanitize)"]
      }]
    ]
  }]
}
