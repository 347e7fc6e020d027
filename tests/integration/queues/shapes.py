# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# shapes.py: pipelines of all shapes, for coverage.py, and the media files that
# they read. run-watched.c says what the names of elements mean.
#
# MEDIA is made once, without filemem; {out} is the file to write. A pipeline
# reads it as {name}. {http} is the address of a local server of these files,
# {work} a directory of the run's own, {port} a free UDP port.
#
# Each stream has several MiB: enough to notice a queue that holds more than 1
# MiB of it. Each comes out the same in every run without filemem: so one thread
# in each codec, and no clock.

from collections import namedtuple

# feed: the file that goes into the appsrc, in wrapped buffers of `chunk` bytes;
# files: what to compare besides, a pattern of names in {work}; python: it is
# driven by wrapped-app.py; apart: why its memory has to be left alone, and by
# which figure filemem counts that
Shape = namedtuple("Shape", "name pipeline feed chunk files python apart",
                   defaults=(None, 65536, None, False, None))

UNLIMITED = "max-size-buffers=0 max-size-bytes=0 max-size-time=0"
Q = f"queue {UNLIMITED}"
Q2 = f"queue2 {UNLIMITED} use-buffering=false"
MQ = f"multiqueue {UNLIMITED}"
CHECK = "fakesink name=check"
BYTES = "fakesink name=bytes"
APPSRC = "appsrc name=feed format=bytes max-bytes=0"
PULL = "appsink name=pull sync=false"
RTP = "ssrc=1 seqnum-offset=0 timestamp-offset=0"


def snow(frames, size="320,height=240", form="I420"):
    return (f"videotestsrc pattern=snow num-buffers={frames} ! video/x-raw,"
            f"framerate=25/1,format={form},width={size}")


def sound(seconds, form="S16LE", channels=2):
    return (f"audiotestsrc wave=sine freq=1234.5 samplesperbuffer=4800 "
            f"num-buffers={seconds * 10} ! audio/x-raw,rate=48000,"
            f"format={form},channels={channels},layout=interleaved")


H264 = ("x264enc speed-preset=ultrafast threads=1 sliced-threads=false "
        "pass=quant quantizer=12 key-int-max=25")
JPEG = "jpegenc quality=95"
SNOW264 = f"{snow(70)} ! {H264}"

MEDIA = {
    "raw": f"{snow(40)} ! filesink location={{out}}",
    "wav": f"{sound(30)} ! wavenc ! filesink location={{out}}",
    "flac": f"{sound(30)} ! flacenc ! filesink location={{out}}",
    "mp3": f"{sound(60)} ! lamemp3enc bitrate=320 target=bitrate ! "
           "filesink location={out}",
    "h264": f"{SNOW264} ! video/x-h264,stream-format=byte-stream ! "
            "filesink location={out}",
    "ts": f"{SNOW264} ! h264parse ! mpegtsmux name=m ! "
          f"filesink location={{out}} "
          f"{sound(3)} ! lamemp3enc ! mpegaudioparse ! m.",
    "mp4": f"{SNOW264} ! h264parse ! mp4mux faststart=true ! "
           "filesink location={out}",
    "mov": f"{snow(80)} ! {JPEG} ! qtmux faststart=true ! "
           "filesink location={out}",
    "mkv": f"{SNOW264} ! h264parse ! matroskamux name=m ! "
           f"filesink location={{out}} {sound(3)} ! m.",
    "webm": f"{snow(40)} ! vp8enc deadline=1 cpu-used=16 threads=1 "
            "target-bitrate=30000000 ! webmmux ! filesink location={out}",
    "avi": f"{snow(80)} ! {JPEG} ! avimux name=m ! filesink location={{out}} "
           f"{sound(3)} ! m.",
    "ogg": f"{snow(40)} ! theoraenc quality=60 speed-level=2 ! oggmux ! "
           "filesink location={out}",
    "flv": f"{SNOW264} ! h264parse ! flvmux ! filesink location={{out}}",
    "mpg": f"{SNOW264} ! h264parse ! mpegpsmux ! filesink location={{out}}",
}

# A playlist and its parts, each a name that must not change: they are made in a
# directory of their own.
HLS = (f"{SNOW264} ! h264parse ! hlssink2 target-duration=1 playlist-length=0 "
       "location={out}/part%03d.ts playlist-location={out}/list.m3u8 "
       "max-files=0")

SHAPES = [
    # files
    Shape("file-queue", f"filesrc location={{ts}} blocksize=65536 ! {Q} ! "
                        f"{CHECK}"),
    Shape("file-queue2", f"filesrc location={{ts}} ! {Q2} ! {CHECK}"),
    Shape("file-tsparse", f"filesrc location={{ts}} ! tsparse ! {Q} ! {CHECK}"),
    Shape("file-h264parse",
          f"filesrc location={{h264}} ! h264parse ! {Q} ! {CHECK}"),
    Shape("file-rawvideoparse",
          "filesrc location={raw} ! rawvideoparse format=i420 width=320 "
          f"height=240 ! {Q} ! {CHECK}"),
    Shape("wavparse", f"filesrc location={{wav}} ! wavparse ! {Q} ! {CHECK}"),
    Shape("flacparse",
          f"filesrc location={{flac}} ! flacparse ! {Q} ! {CHECK}"),
    Shape("mpegaudioparse",
          f"filesrc location={{mp3}} ! mpegaudioparse ! {Q} ! {CHECK}"),
    # demuxers
    Shape("tsdemux", f"filesrc location={{ts}} ! tsdemux ! video/x-h264 ! {Q} "
                     f"! {CHECK}"),
    Shape("tsdemux-parse-multiqueue",
          f"filesrc location={{ts}} ! tsdemux name=d {MQ} name=mq "
          "d. ! h264parse ! mq.sink_0 mq.src_0 ! fakesink name=check-v "
          "d. ! mpegaudioparse ! mq.sink_1 mq.src_1 ! fakesink name=check-a"),
    Shape("psdemux", f"filesrc location={{mpg}} ! mpegpsdemux ! "
                     f"h264parse ! {MQ} ! {CHECK}"),
    Shape("qtdemux-pull", f"filesrc location={{mp4}} ! qtdemux ! {Q} ! {CHECK}"),
    Shape("qtdemux-push",
          f"filesrc location={{mp4}} blocksize=65536 ! {Q} ! qtdemux ! {Q} ! "
          f"{CHECK}"),
    Shape("qtdemux-parse",
          f"filesrc location={{mp4}} ! qtdemux ! h264parse ! "
          f"video/x-h264,stream-format=byte-stream ! {Q} ! {CHECK}"),
    Shape("qtdemux-jpeg-multiqueue",
          f"filesrc location={{mov}} ! qtdemux ! {MQ} ! {CHECK}"),
    Shape("matroskademux-pull",
          "filesrc location={mkv} ! matroskademux name=d "
          f"d.video_0 ! {Q} ! fakesink name=check-v "
          f"d.audio_0 ! {Q} ! fakesink name=check-a"),
    Shape("matroskademux-push",
          f"filesrc location={{webm}} blocksize=50000 ! {Q} ! matroskademux ! "
          f"{Q} ! {CHECK}"),
    Shape("avidemux", f"filesrc location={{avi}} ! avidemux name=d "
                      f"d.video_0 ! {Q} ! fakesink name=check-v "
                      f"d.audio_0 ! {Q} ! fakesink name=check-a"),
    Shape("oggdemux", f"filesrc location={{ogg}} ! oggdemux ! theoraparse ! "
                      f"{Q} ! {CHECK}"),
    Shape("flvdemux", f"filesrc location={{flv}} ! flvdemux ! h264parse ! {Q} "
                      f"! {CHECK}"),
    # what finds its elements by itself
    Shape("parsebin", f"filesrc location={{ts}} ! parsebin ! video/x-h264 ! "
                      f"{Q} ! {CHECK}"),
    Shape("decodebin-file",
          f"filesrc location={{mov}} ! decodebin ! {Q} ! {CHECK}"),
    Shape("decodebin-wrapped",
          f"{APPSRC} ! decodebin force-sw-decoders=true ! {Q} ! {CHECK}",
          feed="mov", chunk=1000000),
    Shape("uridecodebin3",
          f"uridecodebin3 uri={{mov.uri}} ! {Q} ! {CHECK}"),
    # applications
    Shape("appsrc-small", f"{APPSRC} ! {Q} ! {CHECK}", feed="ts", chunk=1316),
    Shape("appsrc-large", f"{APPSRC} ! {Q2} ! {CHECK}", feed="ts",
          chunk=400000),
    Shape("appsrc-tsparse", f"{APPSRC} ! tsparse ! {Q} ! {CHECK}", feed="ts"),
    Shape("appsrc-tsdemux-parse-multiqueue",
          f"{APPSRC} ! tsdemux ! h264parse ! {MQ} ! {CHECK}", feed="ts"),
    Shape("appsrc-rawvideoparse",
          f"{APPSRC} ! rawvideoparse format=i420 width=320 height=240 ! {Q} ! "
          f"{CHECK}", feed="raw", chunk=1000000),
    Shape("appsrc-appsink", f"{APPSRC} ! {PULL}", feed="ts", chunk=30000),
    Shape("appsrc-python", f"{APPSRC} ! {Q} ! {PULL}", feed="ts", chunk=30000,
          python=True),
    # RTP
    Shape("rtp-h264pay", f"{SNOW264} ! rtph264pay {RTP} ! {Q} ! {BYTES}"),
    Shape("rtp-vrawpay", f"{snow(30)} ! rtpvrawpay {RTP} ! {Q} ! {BYTES}"),
    Shape("rtp-mp2tpay",
          f"{APPSRC} ! video/mpegts,packetsize=188 ! rtpmp2tpay {RTP} ! {Q} ! "
          f"{BYTES}", feed="ts", chunk=1316 * 20),
    Shape("rtp-jitterbuffer",
          f"{SNOW264} ! rtph264pay {RTP} ! rtpjitterbuffer mode=none latency=0 "
          f"! rtph264depay ! h264parse ! {Q} ! {BYTES}"),
    # the network
    Shape("udp-ts", "filesrc location={ts} blocksize=1316 ! "
          "udpsink name=send host=127.0.0.1 port={port} sync=false async=false "
          "udpsrc name=recv port={port} caps=video/mpegts ! tsparse ! "
          f"{Q} ! {BYTES}"),
    Shape("udp-rtp-h264",
          f"{snow(150, '160,height=120')} ! {H264} ! rtph264pay {RTP} ! "
          "udpsink name=send host=127.0.0.1 port={port} sync=false async=false "
          "udpsrc name=recv port={port} caps=\"application/x-rtp,media=video,"
          "clock-rate=90000,encoding-name=H264,payload=96\" ! "
          "rtpjitterbuffer mode=none latency=0 ! rtph264depay ! h264parse ! "
          f"{Q} ! {BYTES}"),
    Shape("http-queue2", "souphttpsrc location={http}/{ts.name} ! "
          f"{Q2} ! tsdemux ! h264parse ! {Q} ! {BYTES}"),
    Shape("hls", "souphttpsrc location={http}/{hls.name}/list.m3u8 ! hlsdemux ! "
          f"tsdemux ! h264parse ! {Q} ! {BYTES}"),
    # shared memory
    Shape("shmsrc",
          f"{snow(40)} ! shmsink socket-path={{work}}/shm sync=false "
          "async=false shm-size=16000000 "
          f"shmsrc socket-path={{work}}/shm num-buffers=40 ! {Q} ! {BYTES} async=false "
          "enable-last-sample=false"),
    Shape("shmsink-lent",
          f"{snow(60)} ! {Q} ! shmsink socket-path={{work}}/shm sync=false "
          "name=bytes wait-for-connection=false shm-size=64000000",
          apart="left-lent"),
    # encoders
    Shape("x264enc", f"{SNOW264} ! {Q} ! {CHECK}"),
    Shape("x264enc-h264parse", f"{SNOW264} ! h264parse ! {Q} ! {CHECK}"),
    Shape("vp8enc", f"{snow(30)} ! vp8enc deadline=1 cpu-used=16 threads=1 "
                    f"target-bitrate=30000000 ! {Q} ! {CHECK}"),
    Shape("theoraenc", f"{snow(30)} ! theoraenc quality=60 speed-level=2 ! "
                       f"{Q} ! {CHECK}"),
    Shape("jpegenc", f"{snow(60)} ! {JPEG} ! {Q} ! {CHECK}"),
    Shape("avenc_mpeg4",
          f"{snow(50)} ! avenc_mpeg4 bitrate=20000000 ! {Q} ! {CHECK}"),
    Shape("flacenc", f"{sound(20)} ! flacenc ! {Q} ! {CHECK}"),
    Shape("lamemp3enc", f"{sound(20)} ! lamemp3enc ! {Q} ! {CHECK}"),
    Shape("vorbisenc", f"{sound(20, 'F32LE')} ! vorbisenc ! {Q} ! {CHECK}"),
    Shape("opusenc", f"{sound(10)} ! opusenc complexity=0 ! {Q} ! {CHECK}"),
    # muxers
    Shape("mpegtsmux", f"{SNOW264} ! h264parse ! {Q} ! mpegtsmux ! {Q} ! "
                       f"{BYTES}"),
    Shape("mp4mux-fragmented",
          f"{snow(60)} ! {JPEG} ! {Q} ! identity name=check ! "
          f"qtmux fragment-duration=500 streamable=true ! {Q} ! fakesink"),
    Shape("splitmuxsink",
          f"{SNOW264} ! h264parse name=check ! splitmuxsink "
          "muxer-factory=mpegtsmux max-size-time=1000000000 "
          "location={work}/part%02d.ts", files="part*.ts"),
    # branches
    Shape("tee-encoded",
          f"{SNOW264} ! h264parse ! tee name=t "
          f"t. ! {Q} ! fakesink name=check-1 t. ! {Q} ! fakesink name=check-2"),
    Shape("tee-wrapped",
          f"{APPSRC} ! tee name=t t. ! {Q} ! fakesink name=check-1 "
          f"t. ! {Q2} ! fakesink name=check-2 "
          f"t. ! tsparse ! {MQ} ! fakesink name=check-3",
          feed="ts"),
    # raw video and sound, from pools
    Shape("raw-pool", f"{snow(60)} ! {Q} ! {CHECK}"),
    Shape("raw-convert-scale",
          f"{snow(40)} ! {Q} ! videoconvert ! video/x-raw,format=BGRx ! {Q} ! "
          f"videoscale ! video/x-raw,width=160,height=120 ! {Q} ! {CHECK}"),
    Shape("raw-decoders",
          f"filesrc location={{mp4}} ! qtdemux ! {Q} ! h264parse ! "
          f"avdec_h264 max-threads=1 ! {Q} ! {CHECK}"),
    Shape("raw-vp8dec",
          f"filesrc location={{webm}} ! matroskademux ! {Q} ! "
          f"vp8dec threads=1 ! {Q} ! {CHECK}"),
    Shape("raw-compositor",
          f"compositor name=m ! {Q} ! {CHECK} "
          f"{snow(30)} ! {Q} ! m. {snow(30)} ! {Q} ! m."),
    Shape("sound", f"{sound(20)} ! {Q} ! audioconvert ! "
                   f"audio/x-raw,format=F32LE ! {Q} ! {CHECK}"),
]
