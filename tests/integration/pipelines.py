# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# pipelines.py: the pipelines whose output must be the same with filemem as
# without, and the media files that they read.
#
# MEDIA is made once, without filemem; {out} is the file to write. A pipeline
# reads it as {name}, or as {name.uri} where it takes a URI. run-held.c says what
# the names of elements mean. Every pipeline must come out the same in each run
# without filemem: so one thread in each codec, no clock, and digests of what a
# muxer with random numbers is given, not of what it makes.
#
# The pictures are snow or a moving zone plate, so that no two pages of a
# stream are alike and a page in a wrong place is seen. Where the data is held,
# most of it comes from the default allocator, and is several times the budget
# of 8 MiB; anything else could not spill.

from collections import namedtuple

# name: of the test; pipeline: its description; feed: what goes into an appsrc;
# needs: elements that the pipeline finds by itself; python: it is driven by
# run-held-app.py, not by run-held
Case = namedtuple("Case", "name pipeline feed needs python",
                  defaults=(None, (), False))

QUEUE = "queue max-size-buffers=0 max-size-bytes=0 max-size-time=0"
QUEUE2 = "queue2 max-size-buffers=0 max-size-bytes=0 max-size-time=0 " \
         "use-buffering=false"
MULTIQUEUE = "multiqueue max-size-buffers=0 max-size-bytes=0 max-size-time=0"
CHECK = "fakesink name=check"
HELD = "fakesink name=hold-check"


def video(pattern, frames, caps="format=I420,width=640,height=480"):
    return (f"videotestsrc pattern={pattern} num-buffers={frames} ! "
            f"video/x-raw,framerate=25/1,{caps}")


def snow(frames, caps="format=I420,width=640,height=480"):
    return video("snow", frames, caps)


def plate(frames, caps="format=I420,width=640,height=480"):
    return video("zone-plate kx2=10 ky2=10 kt=2", frames, caps)


def sound(seconds, channels, form="S16LE"):
    return (f"audiotestsrc wave=sine freq=1234.5 samplesperbuffer=4800 "
            f"num-buffers={seconds * 10} ! audio/x-raw,rate=48000,"
            f"format={form},channels={channels},layout=interleaved")


H264 = "x264enc speed-preset=ultrafast threads=1 sliced-threads=false"
VP8 = "vp8enc deadline=1 cpu-used=16 threads=1 target-bitrate=2000000"
VP9 = "vp9enc deadline=1 cpu-used=8 threads=1 target-bitrate=2000000"
AVDEC_H264 = "avdec_h264 max-threads=1"

MEDIA = {
    "raw": f"{snow(80)} ! filesink location={{out}}",
    "wav": f"{sound(20, 8)} ! wavenc ! filesink location={{out}}",
    "mp4_h264": f"{plate(80)} ! {H264} ! h264parse ! mp4mux ! "
                "filesink location={out}",
    "mov_jpeg": f"{snow(90)} ! jpegenc quality=95 ! qtmux ! "
                "filesink location={out}",
    "webm_vp8": f"{plate(80)} ! {VP8} ! webmmux ! filesink location={{out}}",
    "webm_vp9": f"{plate(80)} ! {VP9} ! webmmux ! filesink location={{out}}",
    "mkv_raw": f"{snow(70)} ! matroskamux name=mux ! filesink location={{out}} "
               f"{sound(2, 2)} ! mux.",
    "mkv_ffv1": f"{plate(60)} ! avenc_ffv1 ! matroskamux ! "
                "filesink location={out}",
    "ts_h264": f"{snow(70)} ! {H264} pass=quant quantizer=8 ! h264parse ! "
               "mpegtsmux ! filesink location={out}",
    "ogg_theora": f"{plate(80)} ! theoraenc quality=60 speed-level=2 ! "
                  f"oggmux name=mux ! filesink location={{out}} "
                  f"{sound(3, 2, 'F32LE')} ! vorbisenc ! mux.",
    "avi_mpeg4": f"{plate(80)} ! avenc_mpeg4 bitrate=4000000 ! "
                 f"avimux name=mux ! filesink location={{out}} "
                 f"{sound(3, 2)} ! mux.",
}

CASES = [
    # queues alone
    Case("queue", f"{snow(90)} ! {QUEUE} ! {HELD}"),
    Case("queue2", f"{snow(90)} ! {QUEUE2} ! {HELD}"),
    Case("multiqueue",
         f"{MULTIQUEUE} name=mq "
         f"{snow(70)} ! mq.sink_0 mq.src_0 ! fakesink name=hold-check-v "
         f"{sound(20, 8)} ! mq.sink_1 mq.src_1 ! fakesink name=hold-check-a"),
    # both branches have the same memory, the second one writes into a copy
    Case("tee-two-queues",
         f"{snow(90)} ! tee name=t "
         f"t. ! {QUEUE} ! fakesink name=hold-check-1 "
         f"t. ! {QUEUE} ! videobalance name=hold-2 contrast=0.5 ! "
         "fakesink name=check-2"),
    # small enough to be packed, twice
    Case("tee-small-packets",
         "filesrc location={wav} blocksize=1316 ! tee name=t "
         f"t. ! {QUEUE} ! fakesink name=hold-check-1 "
         f"t. ! {QUEUE2} ! fakesink name=hold-check-2"),
    Case("multiqueue-small-packets",
         f"{MULTIQUEUE} name=mq "
         "filesrc location={wav} blocksize=1316 ! mq.sink_0 "
         "mq.src_0 ! fakesink name=hold-check-1 "
         f"{plate(60)} ! {H264} ! h264parse ! mq.sink_1 "
         "mq.src_1 ! fakesink name=hold-check-2"),
    # one memory in many buffers
    Case("videorate-duplicates",
         f"{snow(60)} ! videorate ! video/x-raw,framerate=75/1 ! {QUEUE} ! "
         f"{HELD}"),
    # video filters and the pools between them
    Case("convert-scale",
         f"{snow(50)} ! {QUEUE} ! videoconvert ! video/x-raw,format=BGRx ! "
         "videoscale ! video/x-raw,width=320,height=240 ! "
         f"{QUEUE} ! videoconvert name=hold ! video/x-raw,format=NV12 ! "
         f"{QUEUE} ! {CHECK}"),
    Case("deinterlace",
         f"{snow(80, 'format=I420,width=640,height=480,interlace-mode=interleaved')} ! "
         f"{QUEUE} ! deinterlace name=hold mode=interlaced method=greedyh ! "
         f"{QUEUE} ! {CHECK}"),
    Case("compositor",
         "compositor name=mix background=black sink_1::xpos=200 "
         f"sink_1::ypos=100 sink_1::alpha=0.5 ! {QUEUE} ! {HELD} "
         f"{snow(60)} ! {QUEUE} ! mix.sink_0 "
         f"{plate(60, 'format=I420,width=320,height=240')} ! {QUEUE} ! "
         "mix.sink_1"),
    Case("videomixer",
         f"videomixer name=mix sink_1::xpos=200 sink_1::alpha=0.5 ! {QUEUE} ! "
         f"{HELD} "
         f"{snow(60, 'format=AYUV,width=320,height=240')} ! {QUEUE} ! "
         "mix.sink_0 "
         f"{plate(60, 'format=AYUV,width=320,height=240')} ! {QUEUE} ! "
         "mix.sink_1"),
    # files, and buffers cut out of other buffers
    Case("filesrc-blocks",
         f"filesrc location={{raw}} blocksize=65536 ! {QUEUE} ! {HELD}"),
    Case("filesrc-small-blocks",
         f"filesrc location={{raw}} blocksize=4096 ! {QUEUE2} ! {HELD}"),
    Case("rawvideoparse",
         f"filesrc location={{raw}} blocksize=1000000 ! {QUEUE} ! "
         "rawvideoparse format=i420 width=640 height=480 framerate=25/1 ! "
         f"{QUEUE} ! {HELD}"),
    Case("wavparse",
         f"filesrc location={{wav}} ! {QUEUE} ! wavparse name=hold ! "
         f"audioconvert ! audio/x-raw,format=F32LE ! {QUEUE} ! {CHECK}"),
    # demuxers: pulling from the file, and pushed to out of a queue
    Case("qtdemux-pull-jpegdec",
         f"filesrc location={{mov_jpeg}} ! qtdemux ! {QUEUE} ! "
         f"jpegdec name=hold ! {QUEUE} ! {CHECK}"),
    Case("qtdemux-push",
         f"filesrc location={{mov_jpeg}} blocksize=65536 ! {QUEUE} ! "
         f"qtdemux name=hold ! {QUEUE} ! {CHECK}"),
    Case("matroskademux-pull",
         "filesrc location={mkv_raw} ! matroskademux name=d "
         f"d.video_0 ! {QUEUE} ! fakesink name=hold-check-v "
         f"d.audio_0 ! {QUEUE} ! fakesink name=check-a"),
    Case("matroskademux-push",
         "filesrc location={mkv_raw} blocksize=50000 ! "
         f"{QUEUE} ! matroskademux name=hold hold.video_0 ! {QUEUE} ! {CHECK}"),
    Case("tsdemux-avdec_h264",
         f"filesrc location={{ts_h264}} blocksize=37600 ! {QUEUE} ! "
         f"tsdemux ! h264parse ! {AVDEC_H264} ! {QUEUE} ! {HELD}"),
    Case("oggdemux-theoradec",
         f"filesrc location={{ogg_theora}} ! oggdemux name=d "
         f"d. ! {QUEUE} ! theoradec ! {QUEUE} ! fakesink name=hold-check-v "
         f"d. ! {QUEUE} ! vorbisdec ! {QUEUE} ! fakesink name=check-a"),
    # decoders; a frame that waits in the queue is at the same time what the
    # next frames are predicted from
    Case("avdec_h264",
         f"filesrc location={{mp4_h264}} ! qtdemux ! h264parse ! {AVDEC_H264} ! "
         f"{QUEUE} ! videoconvert name=hold ! video/x-raw,format=RGB ! "
         f"{QUEUE} ! {CHECK}"),
    Case("vp8dec",
         f"filesrc location={{webm_vp8}} ! matroskademux ! vp8dec threads=1 ! "
         f"{QUEUE} ! videoconvert name=hold ! video/x-raw,format=RGB ! {CHECK}"),
    Case("vp9dec",
         f"filesrc location={{webm_vp9}} ! matroskademux ! vp9dec threads=1 ! "
         f"{QUEUE} ! videoconvert name=hold ! video/x-raw,format=RGB ! {CHECK}"),
    Case("avidemux-avdec_mpeg4",
         "filesrc location={avi_mpeg4} ! avidemux name=d "
         f"d. ! {QUEUE} ! avdec_mpeg4 max-threads=1 ! {QUEUE} ! "
         "fakesink name=hold-check-v "
         f"d. ! {QUEUE} ! fakesink name=check-a"),
    # encoders, held with the raw pictures in front of them
    Case("x264enc", f"{snow(60)} ! {QUEUE} ! {H264} name=hold ! {CHECK}"),
    Case("vp8enc", f"{plate(60)} ! {QUEUE} ! {VP8} name=hold ! {CHECK}"),
    Case("vp9enc", f"{plate(60)} ! {QUEUE} ! {VP9} name=hold ! {CHECK}"),
    Case("jpegenc", f"{snow(90)} ! {QUEUE} ! jpegenc name=hold quality=95 ! "
                    f"{QUEUE} ! {CHECK}"),
    Case("avenc_mpeg4",
         f"{plate(80)} ! {QUEUE} ! avenc_mpeg4 name=hold bitrate=4000000 ! "
         f"mpeg4videoparse ! {CHECK}"),
    Case("theoraenc-theoradec",
         f"{plate(60)} ! {QUEUE} ! theoraenc name=hold speed-level=2 ! "
         f"theoradec ! {QUEUE} ! {CHECK}"),
    Case("pngenc-pngdec",
         f"{plate(40)} ! videoconvert ! video/x-raw,format=RGB ! {QUEUE} ! "
         f"pngenc name=hold compression-level=1 ! pngdec ! {QUEUE} ! {CHECK}"),
    # sound
    Case("flac",
         f"{sound(40, 8)} ! {QUEUE} ! flacenc name=hold ! flacparse ! flacdec ! "
         f"{QUEUE} ! {CHECK}"),
    Case("vorbis",
         f"{sound(80, 2, 'F32LE')} ! {QUEUE} ! vorbisenc name=hold ! "
         f"vorbisdec ! {QUEUE} ! {CHECK}"),
    Case("opus",
         f"{sound(100, 2)} ! {QUEUE} ! opusenc name=hold complexity=0 ! "
         f"opusdec ! {QUEUE} ! {CHECK}"),
    Case("audiomixer",
         f"audiomixer name=mix ! audioconvert ! audio/x-raw,format=S32LE ! "
         f"{QUEUE} ! {HELD} "
         f"{sound(15, 8)} ! {QUEUE} ! mix. "
         f"{sound(15, 8)} ! volume volume=0.3 ! {QUEUE} ! mix."),
    # RTP; the jitter buffer stamps with the clock, so time is left out; in the
    # first one the packets wait in the jitter buffer itself
    Case("rtp-raw",
         f"{snow(50)} ! rtpvrawpay ssrc=1 seqnum-offset=0 timestamp-offset=0 ! "
         "rtpjitterbuffer mode=none latency=0 ! rtpvrawdepay name=hold ! "
         "fakesink name=bytes"),
    Case("rtp-h264",
         f"filesrc location={{ts_h264}} ! tsdemux ! h264parse ! "
         "rtph264pay ssrc=1 seqnum-offset=0 timestamp-offset=0 ! "
         f"rtpjitterbuffer mode=none latency=0 ! {QUEUE} ! "
         f"rtph264depay ! h264parse ! {AVDEC_H264} ! {QUEUE} ! "
         "fakesink name=hold-bytes"),
    # whole players
    Case("parsebin",
         f"filesrc location={{mov_jpeg}} ! typefind ! parsebin ! {QUEUE} ! "
         f"jpegdec name=hold ! {CHECK}"),
    Case("decodebin",
         f"filesrc location={{mkv_ffv1}} ! decodebin ! {QUEUE} ! {HELD}",
         needs=("avdec_ffv1",)),
    Case("playbin",
         "playbin uri={ogg_theora.uri} flags=video+audio "
         f"video-sink=\"{QUEUE} ! fakesink name=hold-check-v\" "
         f"audio-sink=\"{QUEUE} ! fakesink name=check-a\"",
         needs=("theoradec", "vorbisdec")),
    Case("playbin3",
         "playbin3 uri={ogg_theora.uri} flags=video+audio "
         f"video-sink=\"{QUEUE} ! fakesink name=hold-check-v\" "
         f"audio-sink=\"{QUEUE} ! fakesink name=check-a\"",
         needs=("theoradec", "vorbisdec")),
    # programs of their own
    Case("app-c",
         f"appsrc name=feed format=time max-bytes=0 ! {QUEUE} ! "
         "appsink name=pull sync=false",
         feed="400x100001"),
    Case("app-c-held-source",
         "appsrc name=feed format=time max-bytes=0 ! "
         "identity name=hold ! appsink name=pull sync=false",
         feed="40x1000000"),
    Case("app-python",
         f"appsrc name=feed format=time max-bytes=0 ! {QUEUE} ! "
         "appsink name=pull sync=false",
         feed="400x100001", python=True),
]
