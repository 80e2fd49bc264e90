# The matches as a page and an API, for those who install nothing: docker build -t steam-beit . && docker run -p 7860:7860 steam-beit
FROM python:3.11-slim
RUN useradd --create-home app && apt-get update && apt-get install -y --no-install-recommends make fonts-dejavu-core && rm -rf /var/lib/apt/lists/*
WORKDIR /home/app/steam-beit
COPY --chown=app . .
USER app
RUN pip install --user --no-cache-dir torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
RUN pip install --user --no-cache-dir -c constraints.txt -r requirements.txt fastapi fastapi-offline uvicorn httptools uvloop
RUN STEAM_BANNERS_SOURCE=sample python -m tools.run_notebooks out
ENV STEAM_BANNERS_SOURCE=sample
CMD ["python", "-m", "utils.export.api", "--host", "0.0.0.0", "--port", "7860"]
