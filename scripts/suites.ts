/** What a suite needs beyond npm. The one table: `npm test` installs from it, CI and CONTRIBUTING follow it. */
export type Suite = {
  readonly name: string
  /** Its test files lie in these folders. */
  readonly folders: readonly string[]
  /** Debian packages, each with a program that shows that it is there. */
  readonly packages: Readonly<Record<string, string>>
  readonly root: boolean
}

export const suites: readonly Suite[] = [
  {
    name: 'unit',
    folders: [
      'src',
      'console',
      'scripts',
      'test/sim',
      'test/scenarios',
      'test/support',
      'test/rooms-canary',
      'test/upgrade',
      'test/fuzz',
      'test/limits',
    ],
    packages: {},
    root: false,
  },
  {
    name: 'servers',
    folders: ['test/servers'],
    packages: {
      fping: 'fping',
      'iputils-ping': 'ping',
      nginx: 'nginx',
      openssl: 'openssl',
      dnsmasq: 'dnsmasq',
      iproute2: 'ip',
      nftables: 'nft',
    },
    root: true,
  },
  { name: 'lab', folders: ['test/lab'], packages: { iproute2: 'ip', nftables: 'nft', fping: 'fping' }, root: true },
  { name: 'e2e', folders: ['test/e2e'], packages: { chromium: 'chromium' }, root: false },
  {
    name: 'image',
    folders: ['test/image'],
    packages: { 'docker.io': 'dockerd', debootstrap: 'debootstrap', iptables: 'iptables' },
    root: true,
  },
]
