"""One member of a benchmark's swarm: libtorrent with the settings that suit it.

Its argument is a JSON file, written by libtorrent.go. A seed begins at once,
another member when it gets SIGUSR1.
"""
import json
import signal
import sys

import libtorrent as lt

# Before libtorrent's threads start, so that they inherit it.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})

with open(sys.argv[1]) as f:
    config = json.load(f)

settings = {
    "listen_interfaces": config["listen"],
    "alert_mask": lt.alert.category_t.status_notification | lt.alert.category_t.error_notification,
    # Peers come from the tracker only, and over plain TCP.
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    "in_enc_policy": lt.enc_policy.pe_disabled,
    "out_enc_policy": lt.enc_policy.pe_disabled,
    "allow_multiple_connections_per_ip": True,  # all members may be on one host
    # Everybody is a friend: connect to all at once.
    "connections_limit": 2000,
    "connection_speed": 500,
    "torrent_connect_boost": 200,
    "smooth_connects": False,
    "min_reconnect_time": 1,
    # All torrents are active.
    "active_downloads": -1,
    "active_seeds": -1,
    "active_limit": -1,
    "active_tracker_limit": -1,
    "unchoke_slots_limit": -1,
}
if config["thin"]:
    # Few uploads at a time and shallow queues: what is asked for is sent soon, and
    # the origin repeats itself less. On fast links this costs throughput.
    settings |= {
        "unchoke_slots_limit": 4,
        "request_queue_time": 1,
        "max_out_request_queue": 50,
        "send_buffer_watermark": 64 << 10,
        "send_buffer_low_watermark": 16 << 10,
    }
session = lt.session(settings)
with open(config["ready"], "w"):
    pass
if not config["seed"]:
    signal.sigwait({signal.SIGUSR1})

markers = {}
for t in config["torrents"]:
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(t["file"])
    params.save_path = t["folder"]
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    if config["seed"]:
        params.flags |= lt.torrent_flags.seed_mode
    markers[params.ti.name()] = t["marker"]
    session.add_torrent(params)

while True:
    if session.wait_for_alert(60_000) is None:
        continue
    for alert in session.pop_alerts():
        if isinstance(alert, lt.torrent_finished_alert):
            if not config["seed"]:
                with open(markers[alert.torrent_name], "w"):
                    pass
        elif alert.category() & lt.alert.category_t.error_notification:
            print(alert.message(), flush=True)
