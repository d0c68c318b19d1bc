"""Uploads a file by tuspy: uploader.py URL PATH LENGTH-OF-A-PART"""

import sys
import time

from requests import RequestException
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

url, path, part = sys.argv[1:]
uploader = TusClient(url).uploader(path, chunk_size=int(part))
while True:
    try:
        if uploader.url:
            uploader.offset = uploader.get_offset()
        uploader.upload()
        break
    except (TusCommunicationError, RequestException) as error:
        status = getattr(error, "status_code", None) or 500
        if status < 500 and status != 409:
            raise
        time.sleep(0.05)
