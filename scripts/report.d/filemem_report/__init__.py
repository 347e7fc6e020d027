# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# filemem_report: from recordings to a web page.
#
#   command   the command line: which files, what to say, the exit status
#   records   a recording: which lines are filemem's, of which process
#   series    arithmetic: rates, percentiles, a common time axis
#   verdict   in words: what filemem did, and what the run was
#   figures   what the page shows: curves, tables, and what is missing
#   page      the page: the template, the library and the data in one file
