# Builds the addon. This file is not at the root of the repository, because npm runs an implicit build for a
# binding.gyp at the root. Sources are listed by folder: core/ (without Node), guest/ (driver side), addon/ (Node-API).
{
  # portable: links libstdc++ statically, because the version of libstdc++.so differs more between systems than that of
  # libc. scripts/run.mjs builds this variant if the system has the static library, and this variant is published.
  # It is not the default here, because not every system has the static library.
  # libpcap: the path of a libpcap archive to link, or nothing. libpcap.mjs prints it.
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
    # Node unloads an addon that only workers loaded. With nodelete its code stays in memory, because our signal handlers
    # and threads still need it.
    "ldflags": ["-Wl,-z,nodelete"],
    # For dlopen, which loads libpcap at run time. Since glibc 2.34, dlopen is part of libc.
    "libraries": ["-ldl"],
    "conditions": [
      ["libpcap!=''", {
        "defines": ["RXVHOST_STATIC_LIBPCAP"],
        "libraries": ["<(libpcap)"],
        # Hides libpcap's functions, so that another libpcap in this process neither uses nor replaces them.
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
